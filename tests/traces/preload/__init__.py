"""Tests of the reader of allocsim's own recorder."""
