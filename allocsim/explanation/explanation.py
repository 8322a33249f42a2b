"""An explanation of a subject's footprint at one moment: its owners, and changes to reduce it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from allocsim.call_sites.table import EMPTY, SiteTable
from allocsim.errors import InputError, UnknownName
from allocsim.events import Trace
from allocsim.explanation.evidence import Evidence
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.heap_top import HeapTop, heap_top
from allocsim.explanation.labels import MAKERS, Labels, label
from allocsim.explanation.lives import read_lives
from allocsim.explanation.owners import Owner, nobody, owners_by, parts_of
from allocsim.explanation.sentences import HELD, sentences
from allocsim.explanation.shares import share_out
from allocsim.explanation.snapshots import snapshot_events
from allocsim.explanation.stacks import Stacks, stacks_of
from allocsim.explanation.subject import Subject
from allocsim.explanation.what_if import Experiments, Group, WhatIf, group_of
from allocsim.moments import Choice, Moment, Seconds, event_at
from allocsim.recorded_times import recorded_times
from allocsim.text import counted

SECONDS = 10.0
"""Default of `Question.seconds`."""


@dataclass(frozen=True)
class Question:
    """What `explain` is to explain about a subject, and how."""

    at: Choice = "worst"
    """The moment to explain."""
    by: Sequence[str] = ()
    """What the owners are grouped by: "site" or keys of `MAKERS`. Default: call site and size if
    call sites are known, else size and lifetime."""
    what_if: Sequence[str] = ()
    """Names of groups to experiment with. If empty: the largest owner of the first grouping."""
    seconds: float = SECONDS
    """Seconds after which no experiment is started; 0 for no experiments."""
    stacks: bool = False
    """Whether to compute the owners by stack too. With many different stacks, this takes long."""
    pictures: bool = False
    """Whether to collect the evidence for pictures, which takes another replay."""
    skip_unknown: bool = False
    """Whether to skip a name in `what_if` that no group has. Otherwise, it is an error."""


@dataclass(frozen=True)
class Explanation:
    """The answer to a `Question`. Sizes are in bytes, as integers.

    Invariant: for each grouping, `owned` of its owners and the values of `nobody` sum to the
    footprint of `moment`.
    """

    subject: str
    unit: str
    """The kind of unit that objects share: "span" or "page" (see `heap_map`)."""
    moments: tuple[Moment, ...]
    moment: Moment
    parts: dict[str, int]
    owners: list[Owner]
    """The owners by the first grouping, then by the second, and so on; each time the largest first.
    """
    nobody: dict[str, int]
    what_ifs: list[WhatIf]
    sentences: list[str]
    cautions: list[str]
    stacks: Stacks | None = None
    """The owners by stack, if `Question.stacks` is set."""
    top: HeapTop | None = None
    """The end of the heap, if the heap shrinks only there; else None."""
    evidence: Evidence | None = field(default=None, repr=False)
    """The evidence, if `Question.pictures` is set."""


def explain(
    subject: Subject, question: Question, with_sites: Callable[[], Trace] | None = None
) -> tuple[Explanation, Trace]:
    """Replay the workload on a subject and answer a question about it.

    `with_sites` opens the workload with its call sites, if it has any. Returns the answer and the
    trace, which has been read to its end.

    Raises InputError if the workload has no events, if the moment does not exist, or if stacks are
    requested and the workload has no call sites. Raises UnknownName if a grouping in `question.by`
    or a group in `question.what_if` does not exist (see `Question.skip_unknown`). Raises Corruption
    if the figures contradict each other.
    """
    _require_groupings(question.by)
    moments = subject.moments()
    event = event_at(moments, question.at, _times(subject, question.at))
    end = event_at(moments, "end")
    if not end:
        raise InputError("the workload has no events to explain")
    heap = subject.map_at(event)
    shares = share_out(heap)
    opener = with_sites or subject.open_trace
    trace = opener()
    with trace:
        lives = read_lives(trace, event, int(heap.number.max(initial=-1)) + 1)
    table = trace.sites.table if trace.sites else EMPTY
    sites = lives.site[heap.number]
    stacks = stacks_of(heap, shares, sites, table) if question.stacks else None
    groupings = dict.fromkeys(question.by) or _default_by(table)
    labels = [label(by, heap, lives, table) for by in groupings]
    owners = [owners_by(heap, shares, each) for each in labels]
    experiments = Experiments(subject, opener, (event, heap.footprint), question.seconds)
    groups = _groups(question, labels, owners, heap)
    top = heap_top(heap, labels[0])
    on_top = _group_on_top(top, labels[0], owners[0], heap)
    what_ifs = experiments.results(groups, on_top) if question.seconds > 0 else []
    snapshots = subject.snapshots(snapshot_events(end, event)) if question.pictures else []
    parts, flat = parts_of(heap, shares), [owner for rows in owners for owner in rows]
    answer = Explanation(
        subject=subject.name,
        unit=subject.unit,
        moments=moments,
        moment=_moment(question.at, heap),
        parts=parts,
        owners=flat,
        nobody=nobody(heap, shares),
        what_ifs=what_ifs,
        sentences=sentences(heap.footprint, parts, flat, what_ifs, top),
        cautions=[*subject.cautions, *_left_out(experiments, question)],
        stacks=stacks,
        top=top,
        evidence=Evidence(heap, shares, lives, table, snapshots) if question.pictures else None,
    )
    return answer, trace


def _default_by(table: SiteTable) -> tuple[str, str]:
    """Return the default of `Question.by`."""
    return ("site", "size") if len(table) > 1 else ("size", "lifetime")


def _require_groupings(by: Sequence[str]) -> None:
    """Raise UnknownName if a name in `by` is not a grouping."""
    for each in by:
        if each not in (*MAKERS, "site"):
            raise UnknownName("grouping", each, ("site", *MAKERS))


def _times(subject: Subject, at: Choice) -> list[tuple[int, int]]:
    """Return the times of the workload's recording if the moment is given as a time."""
    if not isinstance(at, Seconds):
        return []
    with subject.open_trace() as trace:
        if recorded_times(trace.description):
            for _ in trace.chunks:  # the times are complete at the end of the stream
                pass
        return trace.times


def _moment(at: Choice, heap: HeapMap) -> Moment:
    """Return the moment of the map, under the name that the user gave."""
    return Moment(str(at), heap.event, heap.footprint, int(heap.request.sum()))


def _groups(
    question: Question, labels: list[Labels], owners: list[list[Owner]], heap: HeapMap
) -> list[Group]:
    """Return the groups to experiment with; raise UnknownName for a name that no group has."""
    if not question.what_if:
        return [group_of(labels[0], owners[0][0], heap.number)] if owners and owners[0] else []
    known = {
        owner.name: (each, owner)
        for each, rows in zip(labels, owners, strict=True)
        for owner in rows
    }
    wanted = dict.fromkeys(question.what_if)
    for name in wanted:
        if name not in known and not question.skip_unknown:
            raise UnknownName("group", name, known)
    return [group_of(*known[name], heap.number) for name in wanted if name in known]


def _group_on_top(
    top: HeapTop | None, labels: Labels, owners: list[Owner], heap: HeapMap
) -> Group | None:
    """Return the group of the last live object, if much free memory is below it (see HELD)."""
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
