"""Tests of `allocsim.traces`."""
