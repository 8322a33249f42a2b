"""An examination, the first part of an explanation. It makes no experiments.

It replays the workload to the moment that is to be explained, and groups the objects that are live
at that moment. It also looks up the groups that the user names, so that an unknown name is reported
before any experiment begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allocsim.call_sites.table import EMPTY, SiteTable
from allocsim.errors import InputError, UnknownName
from allocsim.events import Trace
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.labels import MAKERS, Labels, label
from allocsim.explanation.lives import Lives, read_lives
from allocsim.explanation.owners import Owner, owners_by
from allocsim.explanation.question import Question
from allocsim.explanation.shares import Shares, share_out
from allocsim.explanation.subject import Subject
from allocsim.explanation.what_if import Group, group_of
from allocsim.moments import Choice, Moment, Seconds, event_at
from allocsim.recorded_times import recorded_times


@dataclass(frozen=True)
class Examination:
    """The live objects at a moment of a replay, in groups."""

    subject: Subject
    question: Question
    open_trace: Callable[[], Trace]
    """Opens the workload again, with its call sites if it has any."""
    trace: Trace
    """The trace, which has been read to its end."""
    moments: tuple[Moment, ...]
    heap: HeapMap
    shares: Shares
    lives: Lives
    table: SiteTable
    labels: list[Labels]
    """The labels of each grouping."""
    owners: list[list[Owner]]
    """The owners of each grouping."""

    @property
    def flat_owners(self) -> list[Owner]:
        """The owners by the first grouping, then by the second, and so on."""
        return [owner for rows in self.owners for owner in rows]

    def groups(self) -> list[Group]:
        """Return the groups to experiment with (see `Question.what_if`).

        Raises UnknownName for a name that no group has, unless `Question.skip_unknown` is set.
        """
        labels, owners, number = self.labels, self.owners, self.heap.number
        if not self.question.what_if:
            return [group_of(labels[0], owners[0][0], number)] if owners and owners[0] else []
        known = {
            owner.name: (each, owner)
            for each, rows in zip(labels, owners, strict=True)
            for owner in rows
        }
        wanted = dict.fromkeys(self.question.what_if)
        for name in wanted:
            if name not in known and not self.question.skip_unknown:
                raise UnknownName("group", name, known)
        return [group_of(*known[name], number) for name in wanted if name in known]


def examine(
    subject: Subject, question: Question, with_sites: Callable[[], Trace] | None = None
) -> Examination:
    """Replay the workload on a subject up to `question.at`, and group the live objects.

    `with_sites` opens the workload with its call sites, if it has any. Raises InputError if the
    workload has no events, if the moment does not exist, or if call sites are needed and the
    workload has none. Raises UnknownName for an unknown grouping, and Corruption if the figures
    contradict each other.
    """
    _require_groupings(question.by)
    moments = subject.moments()
    event = event_at(moments, question.at, _times(subject, question.at))
    if not event_at(moments, "end"):
        raise InputError("the workload has no events to explain")
    heap = subject.map_at(event)
    shares = share_out(heap)
    opener = with_sites or subject.open_trace
    trace = opener()
    with trace:
        lives = read_lives(trace, event, int(heap.number.max(initial=-1)) + 1)
    table = trace.sites.table if trace.sites else EMPTY
    groupings = dict.fromkeys(question.by) or _default_by(table)
    labels = [label(by, heap, lives, table) for by in groupings]
    owners = [owners_by(heap, shares, each) for each in labels]
    return Examination(
        subject, question, opener, trace, moments, heap, shares, lives, table, labels, owners
    )


def _default_by(table: SiteTable) -> tuple[str, str]:
    """Return the default of `Question.by`."""
    return ("site", "size") if len(table) > 1 else ("size", "lifetime")


def _require_groupings(by: Sequence[str]) -> None:
    """Raise UnknownName if a name in `by` is not a grouping."""
    for each in by:
        if each not in (*MAKERS, "site"):
            raise UnknownName("grouping", each, ("site", *MAKERS))


def _times(subject: Subject, at: Choice) -> list[tuple[int, int]]:
    """Return the times of the workload's recording if the moment is given as a time, else []."""
    if not isinstance(at, Seconds):
        return []
    with subject.open_trace() as trace:
        if recorded_times(trace.description):
            for _ in trace.chunks:  # the times are complete at the end of the stream
                pass
        return trace.times
