"""Runs of the real program under each library, to compare with what a replay predicts.

A library serves the program by LD_PRELOAD. The figures are those of the kernel, and are taken as
`record` takes them (see `recorders.peak_watch`).
"""
