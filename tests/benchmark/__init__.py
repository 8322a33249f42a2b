"""Tests of `allocsim.benchmark`, with the malloc libraries installed on this machine."""
