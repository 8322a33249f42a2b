"""Explain a footprint at one moment: which objects own the memory, and which changes reduce it.

The footprint is measured for one subject: a design or a malloc library, with its settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from allocsim.events import Trace
from allocsim.explanation.evidence import Evidence
from allocsim.explanation.examination import Examination, examine
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.heap_top import HeapTop, heap_top
from allocsim.explanation.labels import Labels
from allocsim.explanation.owners import Owner, parts_of, unowned
from allocsim.explanation.question import Question
from allocsim.explanation.sentences import HELD, sentences
from allocsim.explanation.snapshots import snapshot_events
from allocsim.explanation.stacks import Stacks, stacks_of
from allocsim.explanation.subject import Subject
from allocsim.explanation.threads import ONE_THREAD, Threads
from allocsim.explanation.what_if import Experiments, Group, WhatIf, group_of
from allocsim.moments import Choice, Moment, event_at
from allocsim.text import counted


@dataclass(frozen=True)
class Explanation:
    """The answer to a `Question`. Sizes are in bytes, as integers.

    Invariant: in each grouping, the bytes that the owners own (`Owner.owned`) and the bytes that no
    object owns (`unowned`) sum to the footprint of `moment`.
    """

    subject: str
    unit: str
    """The kind of unit that objects share: "span" or "page" (see `heap_map`)."""
    moments: tuple[Moment, ...]
    moment: Moment
    parts: dict[str, int]
    """The whole footprint by part, such as "live" and "metadata" (see `owners.parts_of`)."""
    owners: list[Owner]
    """The owners by the first grouping, then by the second, and so on. Within a grouping, the
    largest comes first."""
    unowned: dict[str, int]
    """Bytes that no object owns, by part of the footprint."""
    what_ifs: list[WhatIf]
    sentences: list[str]
    cautions: list[str]
    stacks: Stacks | None = None
    """The owners by stack, if `Question.stacks` is set."""
    threads: Threads = ONE_THREAD
    top: HeapTop | None = None
    """The end of the heap, if the heap shrinks only there; else None."""
    evidence: Evidence | None = field(default=None, repr=False)
    """The heap and its snapshots, for pictures; None unless `Question.pictures` is set."""


def explain(
    subject: Subject, question: Question, with_sites: Callable[[], Trace] | None = None
) -> tuple[Explanation, Trace]:
    """Replay the workload on a subject and answer a question about it.

    Returns the answer and the trace, which has been read to its end. For the parameters and the
    errors, see `examine` and `explained`.
    """
    examination = examine(subject, question, with_sites)
    return explained(examination), examination.trace


def explained(examination: Examination) -> Explanation:
    """Run the experiments, and return the whole explanation.

    Raises UnknownName if a group in `Question.what_if` does not exist (see
    `Question.skip_unknown`), and InputError if stacks are requested and the workload has no call
    sites.
    """
    subject, question = examination.subject, examination.question
    heap, shares, lives = examination.heap, examination.shares, examination.lives
    labels, owners, table = examination.labels, examination.owners, examination.table
    groups = examination.groups()
    stacks = stacks_of(heap, shares, lives.site[heap.number], table) if question.stacks else None
    moment = heap.event, heap.footprint
    experiments = Experiments(subject, examination.open_trace, moment, question.seconds)
    top = heap_top(heap, labels[0])
    on_top = _group_on_top(top, labels[0], owners[0], heap)
    what_ifs = experiments.results(groups, on_top) if question.seconds > 0 else []
    end = event_at(examination.moments, "end")
    snapshots = subject.snapshots(snapshot_events(end, heap.event)) if question.pictures else []
    parts, flat = parts_of(heap, shares), examination.flat_owners
    return Explanation(
        subject=subject.name,
        unit=subject.unit,
        threads=subject.threads(lives.threads),
        moments=examination.moments,
        moment=_moment(question.at, heap),
        parts=parts,
        owners=flat,
        unowned=unowned(heap, shares),
        what_ifs=what_ifs,
        sentences=sentences(heap.footprint, parts, flat, what_ifs, top),
        cautions=[*subject.cautions, *_left_out(experiments, question)],
        stacks=stacks,
        top=top,
        evidence=Evidence(heap, shares, lives, table, snapshots) if question.pictures else None,
    )


def _moment(at: Choice, heap: HeapMap) -> Moment:
    """Return the explained moment, under the name that the user gave."""
    return Moment(str(at), heap.event, heap.footprint, int(heap.request.sum()))


def _group_on_top(
    top: HeapTop | None, labels: Labels, owners: list[Owner], heap: HeapMap
) -> Group | None:
    """Return the group of the live object with the highest address.

    Returns None if too little memory below this object is free (see HELD).
    """
    if top is None or top.free_below * HELD < heap.footprint:
        return None
    owner = next(each for each in owners if each.name == top.group)
    return group_of(labels, owner, heap.number)


def _left_out(experiments: Experiments, question: Question) -> list[str]:
    """Return sentences about the experiments that failed, and about those that were left out."""
    failed = [f"an experiment failed: {each}" for each in dict.fromkeys(experiments.failures)]
    if not experiments.left_out:
        return failed
    return [
        *failed,
        f"{counted(experiments.left_out, 'experiment')} left out after {question.seconds:g} s; "
        "--seconds sets the time for experiments",
    ]
