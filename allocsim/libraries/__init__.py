"""Malloc libraries on this machine: find and load them, call them, and read their counters."""
