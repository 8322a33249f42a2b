"""Benchmarks: measure a workload on designs (simulated allocators) and on real malloc libraries.

The allocator that is measured is called the subject: a design with its settings, or a library.
Each measurement runs in a child process of its own. There the replay driver is the only caller of
the library (see `libraries.environment`), and no subject profits from another's warm-up. The
compiled loop that replays on a design also replays on a library; only the allocator calls differ.
"""
