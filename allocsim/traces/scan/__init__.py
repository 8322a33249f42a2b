"""Shared parts of the trace readers: lines, blocks of binary records, numbers in text."""
