"""The tests of allocsim: they mirror its modules."""
