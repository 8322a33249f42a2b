"""Benchmarks: a workload on designs and malloc libraries side by side.

Each subject (a design with its settings, or a library) runs in fresh child processes: a library is
called by the replay driver only, and no subject profits from another's warm-up. The compiled loop
that replays on a design also replays on a library; only the calls in it differ.
"""
