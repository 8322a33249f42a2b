"""Predictions compared with real programs: see `verify`."""
