"""What is done with folders of faces: sort, view, merge, import, recut."""
