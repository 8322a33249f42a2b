"""Sweeps: measure a grid of allocators, their settings and workloads, and find the best.

A cell of the grid is one measurement of one subject (a design or a malloc library with its
settings) on one workload. An executor with the interface of concurrent.futures runs the cells on
this machine or on a cluster (see `engine`). Each result is a row of a file of JSON lines, so an
interrupted sweep can continue (see `rows_file`). All findings are computed from the rows.
"""
