"""allocsim's own trace format: a header with a checksum, then the events as they are in memory."""
