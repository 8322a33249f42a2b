"""Replay of recorded threads: each recorded thread is replayed by an OS thread of its own.

A *plan* divides the events into a stream for each thread, and into *epochs*, which follow one
another. A thread's part of an epoch is a *turn*. The last thread to finish its turn opens the next
epoch and wakes the threads that have a turn in it.

In *ordered* replay, an epoch has a single turn, so the events keep their recorded order. The
footprint depends on this order. When time is measured, each epoch is a *window* of hundreds of
events or more. The threads run freely within a window, so they contend as in the program.

A thread is created for its first turn. If it ends in the recording, it is joined after its last
turn. If memory is measured, the stacks and all tables are mapped and touched beforehand, so they do
not count as memory of the library.
"""
