"""The function `allocsim.explain`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from allocsim.api import MAX_COUNT, opened
from allocsim.api_arguments import call_text, checked_conditions, names_of
from allocsim.benchmark.comparison import Conditions
from allocsim.events import Trace
from allocsim.explanation.explanation import explain as answer
from allocsim.explanation.question import SECONDS, Question
from allocsim.explanation.repeatable import repeatable
from allocsim.explanation.subject import default_subject, subject_called
from allocsim.explanation_result import ExplanationResult
from allocsim.heap import RESERVE
from allocsim.heap.arguments import (
    checked_budget,
    checked_flag,
    checked_range,
    checked_text,
)
from allocsim.moments import Choice, parse_moment


def explain(
    workload: Trace | str | os.PathLike[str] | Mapping[str, Any],
    on: str | None = None,
    *,
    at: int | str = "worst",
    by: str | Iterable[str] | None = None,
    what_if: str | Iterable[str] = (),
    seconds: float = SECONDS,
    stacks: bool = False,
    seed: int | None = None,
    threads: str = "recorded",
    touch: str = "page",
    timeout: float = 600.0,
    limit: int | str | None = None,
    reserve: int | str = RESERVE,
    keep_settings: bool = False,
) -> ExplanationResult:
    """Explain the footprint of a design or a library: which objects hold the memory at a moment.

    `on` names the allocator as `allocsim compare --on` does; by default, it is the allocator of the
    recorded program: "go" for a trace of Go's runtime, otherwise "lib:glibc". `at` is a moment:
    "peak", "live-peak", "worst", "end", a number of events, a share of the events ("50%"), or a
    time if the recording has times ("3.5s"). An owner is a group of objects; `by` says how objects
    are grouped: by "site", "size", "thread", "age" or "lifetime". Experiments measure the footprint
    without the objects of the owners that `what_if` names, or with these objects in a separate
    heap; the default of `what_if` is the largest owner of the first grouping. No experiment is
    started after `seconds`; 0 means no experiments. With `stacks`, the owners are computed by stack
    too, for `pprof`; the recording must have call sites. `timeout` is the maximum time of a process
    that replays on a library. The other arguments are those of `compare`.
    """
    arguments = locals()
    call = call_text(explain, arguments)
    conditions = Conditions(**checked_conditions("explain", arguments))
    question = Question(
        at=_moment(at),
        by=_groupings(by),
        what_if=_groups(what_if),
        seconds=checked_budget("explain", "seconds", seconds),
        stacks=checked_flag("explain", "stacks", stacks),
    )
    named = None if on is None else checked_text("explain", "on", on)
    with opened(workload, seed) as trace:
        name = default_subject(trace) if named is None else named
        subject = subject_called(name, repeatable(trace), conditions)
        explanation, read = answer(subject, question, trace.reopen_with_sites)
        return ExplanationResult(explanation, read, call)


def _moment(at: object) -> Choice:
    """Return the argument `at` as a moment."""
    return (
        parse_moment(at)
        if isinstance(at, str)
        else checked_range("explain", "at", at, 0, MAX_COUNT)
    )


def _groupings(names: str | Iterable[str] | None) -> list[str]:
    """Return the names of groupings. Empty names are dropped, as the option --by drops them."""
    texts = names_of("explain", "by", names) or []
    return [name.strip() for name in texts if name.strip()]


def _groups(names: str | Iterable[str]) -> list[str]:
    """Return the names of groups. A str is one name, because a name may contain commas."""
    return names_of("explain", "what_if", [names] if isinstance(names, str) else names) or []
