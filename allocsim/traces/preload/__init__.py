"""Recordings of allocsim's own recorder: directories of files that its C library has written."""
