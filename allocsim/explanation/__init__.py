"""Explain the footprint at one moment: which objects own it, and which changes would reduce it.

1. A subject, which is a design (`on_design`) or a malloc library (`on_library`), replays the
   workload and returns the moments of the replay, such as the peak. For one moment the subject
   returns a map of the heap (`heap_map`): the live objects, and the units (spans or pages) that
   contain them.
2. `shares` divides the free bytes of each unit among its objects. An object owns its own bytes and
   its share of these free bytes. `labels` groups the objects, and `owners` sums the bytes that each
   group owns. The sums are exact, and are checked.
3. `what_if` makes experiments, and `sentences` states the conclusions.
"""
