"""allocsim's own trace format: a header with a checksum, then the events in their memory layout."""
