"""Pure geometry, masks, colour and records of faces (numpy and cv2 only)."""
