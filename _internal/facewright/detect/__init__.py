"""Finds faces and their landmarks; the only door to mtcnn and dlib."""
