"""Malloc libraries installed on this machine: finding, loading, calling and reading them."""
