"""The malloc libraries of this machine."""
