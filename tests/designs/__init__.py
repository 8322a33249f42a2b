"""The tests of allocsim.designs."""
