"""Tests of `allocsim.real_runs`."""
