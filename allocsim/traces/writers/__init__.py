"""Formats that traces can be exported to."""
