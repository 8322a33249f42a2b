"""The synthetic workloads."""
