"""Benchmarks: a workload on designs and malloc libraries side by side.

Each subject (a design with its settings, or a library) runs in fresh child processes, so that only
the replay driver calls a library and no subject profits from another's warm-up. The compiled loop
that replays on a design also replays on a library; only the allocator calls in it differ.
"""
