"""Malloc libraries on this machine: find them, load them, call them, and read their counters."""
