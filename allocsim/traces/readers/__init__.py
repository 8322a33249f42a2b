"""One reader for each trace format that allocsim imports."""
