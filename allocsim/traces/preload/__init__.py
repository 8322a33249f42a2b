"""Recordings of allocsim's own recorder: directories of files that the recorder's library wrote."""
