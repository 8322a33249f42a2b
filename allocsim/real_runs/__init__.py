"""Runs of the real program under each library, to compare with the figures of a replay.

LD_PRELOAD makes a library serve the program. The figures come from the kernel, as with `record`
(see `recorders.peak_watch`).
"""
