"""Replay of recorded threads: each event on an OS thread of its own thread number.

A *plan* divides the events into a stream for each thread, and into *epochs*, which follow one
another. A thread's part of an epoch is a *turn*. The last thread to finish its turn opens the next
epoch and wakes its threads. With a single turn in each epoch, the events keep the recorded order,
which the footprint depends on (*ordered* play). With thousands of events in each epoch, a *window*,
the threads run freely within it, so they contend as in the program, and time can be measured.

Threads are created at their first turn and joined at their last one if the thread has ended in the
recording. Their stacks and all tables are mapped and touched beforehand, so they do not count.
"""
