"""The counts that every design keeps: spans, and what was done to them.

Above the records; below the accounts, which fill the rest of a sample. Its one rule: a count has
the same meaning in every design.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.records import Record


@kernel
def fill_counts(counters: Record, sample: Record) -> None:
    """Fill the counts of `sample` (a SAMPLE) from COUNTERS."""
    sample.spans_total = counters.spans
    sample.spans_free = counters.free_spans
    sample.spans_in_use = counters.spans - counters.free_spans
    sample.grows = counters.grows
    sample.splits = counters.splits
    sample.coalesces = counters.coalesces
    sample.refills = counters.refills
