"""Tests of allocsim's own recorder."""
