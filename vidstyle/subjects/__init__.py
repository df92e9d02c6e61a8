"""What a clip shows: the faces in it."""
