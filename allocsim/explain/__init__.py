"""Explain: who owns the footprint at a moment, and what would change it.

1. A subject (`on_design`, `on_library`) replays the workload, and gives the moments and, for one of
   them, a map of the heap (`heap_map`): live objects, and the units that they are in.
2. `shares` divides the free bytes of each unit among its objects; `labels` makes groups of the
   objects, and `owners` sums their bytes. The sums are exact, and checked.
3. `what_if` makes experiments, and `sentences` says what follows from them.
"""
