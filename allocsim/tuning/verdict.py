"""The verdict on a tuned table of size classes: reasons not to use the table, and remarks."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from allocsim.text import counted, distinct_bytes
from allocsim.tuning.propose import TOLERANCE
from allocsim.tuning.search import Search
from allocsim.tuning.tuning import Row, Tuning

MAX_LOSS = 0.01
"""Maximum relative growth of the bytes in spans, for workloads that the table was not tuned for."""

SMALL_HEAP = 2 << 20
"""Peak live bytes below which a table suits hardly any other workload."""


def objections(tuning: Tuning) -> list[str]:
    """Return the reasons not to use the table, in sentences, or [] if it is recommended."""
    if tuning.is_own:
        return ["No table was found that takes fewer bytes in spans than the current one."]
    return [*_on_gain(tuning), *_on_footprint(tuning), *_on_others(tuning)]


def remarks(tuning: Tuning) -> list[str]:
    """Return sentences that a reader of the figures needs."""
    texts = ["The table suits this program with a heap of about this size, not other programs."]
    if tuning.charge is not None:
        texts.append(
            "Of all tables within the rules, it minimises F: live bytes, rounding and unused ends "
            f"of spans, plus {tuning.charge:g} x the bytes of a span for each class in use."
        )
    if tuning.search is not None:
        texts.append(_on_search(tuning.search))
    small = ", ".join(row.name for row in tuning.rows if row.peak_live < SMALL_HEAP)
    if small:
        texts.append(
            f"Peak live is below 2 MiB in {small}; a table for so small a heap suits few other "
            "heaps."
        )
    return texts


def _on_search(search: Search) -> str:
    """Return a sentence about the search."""
    effort = f"{counted(search.replays, 'replay')} in {search.seconds:.0f} s, seed {search.seed}"
    stopped = "; interrupted" if search.interrupted else ""
    if search.best.charge is not None:
        return f"The search found no better table ({effort}{stopped})."
    return f"The table was found by search ({effort}{stopped}); it may not be optimal."


def _on_gain(tuning: Tuning) -> Iterator[str]:
    """Yield an objection if the gain is insignificant."""
    gain = max(row.now.in_spans - row.new.in_spans for row in tuning.rows)
    step = tuning.question.rules.growth_step
    if gain <= step:
        gained, growth = distinct_bytes(max(gain, 0), step)
        yield (
            f"The table saves {gained} in spans, not more than one step of heap growth ({growth})."
        )
    elif fmean(row.change for row in tuning.rows) > -TOLERANCE:
        yield f"The mean gain in spans is below {TOLERANCE:.1%}."


def _on_footprint(tuning: Tuning) -> Iterator[str]:
    """Yield an objection for each peak footprint that is larger than under the current table."""
    for row in (*tuning.rows, *tuning.held_back):
        if row.new.footprint > row.now.footprint:
            now, new = distinct_bytes(row.now.footprint, row.new.footprint)
            yield f"The peak footprint of {row.name} rises from {now} to {new}."


def _on_others(tuning: Tuning) -> Iterator[str]:
    """Yield an objection if the table is worse for other workloads, or was not tested on any."""
    others: list[tuple[Row, str]] = [
        *((row, "held back") for row in tuning.held_back),
        *((row, "left out") for row in tuning.left_out),
    ]
    for row, role in others:
        if row.change > MAX_LOSS:
            yield f"{row.name} ({role}) grows by {row.change:.1%} in spans."
    if not others:
        yield "The table was not tested on another workload; name one with --hold-back."
