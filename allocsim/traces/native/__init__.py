"""allocsim's own trace format: events as they are in memory, after a checksummed header."""
