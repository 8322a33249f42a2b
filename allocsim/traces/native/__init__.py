"""allocsim's own trace format: a compressed file of events that reads back without parsing."""
