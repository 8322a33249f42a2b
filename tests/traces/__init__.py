"""The readers of recorded traces."""
