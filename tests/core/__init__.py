"""The tests of allocsim.core."""
