"""Explain one or two workloads according to the options of `allocsim explain`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import click

from allocsim.benchmark.comparison import Conditions
from allocsim.cli.drive import command_line
from allocsim.cli.output import log
from allocsim.cli.picture_options import PICTURES
from allocsim.driver import Touch
from allocsim.errors import InputError
from allocsim.events import Trace
from allocsim.explanation.changes import changes_of, names_in_both, require_groups, same_moment
from allocsim.explanation.examination import Examination, examine
from allocsim.explanation.explanation import Explanation, explained
from allocsim.explanation.question import Question
from allocsim.explanation.repeatable import repeatable
from allocsim.explanation.subject import Subject, default_subject, subject_called
from allocsim.reports.changes_screen import print_changes
from allocsim.reports.changes_text import changes_json
from allocsim.reports.explanation_text import warnings_of
from allocsim.workloads import open_workload


class Opened(NamedTuple):
    """A workload, and the subject on which it is replayed."""

    name: str
    subject: Subject
    with_sites: Callable[[], Trace] | None


def explain_one(name: str, options: Mapping[str, Any]) -> tuple[Explanation, Trace]:
    """Explain a workload, and print notes and warnings. Returns the explanation and the trace."""
    seconds = 0.0 if options["no_what_if"] else options["seconds"]
    examination = _examined(_open(name, options), _question(options, seconds))
    explanation = explained(examination)
    _log_notes(explanation, examination.trace)
    return explanation, examination.trace


def explain_two(names: tuple[str, ...], options: dict[str, Any]) -> None:
    """Explain two workloads and report the changes. Experiments are made only with --what-if.

    Both workloads are examined before the first experiment, so that an unknown group (one that is
    in neither workload) is reported before any experiment is made.
    """
    groups = options["what_if"]
    olds, news = ([names_in_both(name)[side] for name in groups] for side in (0, 1))
    both = replace(_question(options, options["seconds"] if groups else 0.0), skip_unknown=True)
    opened, on = list[Opened](), options["on"]
    for name in names:
        with _named(name):
            opened.append(_open(name, options | {"on": on}))
        on = opened[0].subject.name
    with _named(names[0]):
        first = _examined(opened[0], replace(both, what_if=olds))
    at = same_moment(first.moments, first.heap.event) if both.at == "worst" else both.at
    with _named(names[1]):
        second = _examined(opened[1], replace(both, at=at, what_if=news))
    require_groups(first.flat_owners, second.flat_owners, groups)
    before, after = explained(first), explained(second)
    for explanation, examination in ((before, first), (after, second)):
        _log_notes(explanation, examination.trace)
    changes = changes_of(before, after)
    if options["json"]:
        click.echo(changes_json(changes, (first.trace, second.trace), command_line()))
    else:
        print_changes(changes, first.trace.name, second.trace.name)


def _question(options: Mapping[str, Any], seconds: float) -> Question:
    """Return the Question that the options define; `seconds` limits the time for experiments."""
    by = [each.strip() for each in (options["by"] or "").split(",") if each.strip()]
    stacks = options["pprof"] is not None or options["collapsed"] is not None
    pictures = options["map"] or any(options[name] is not None for name in PICTURES)
    return Question(options["at"], by, options["what_if"], seconds, stacks, pictures)


def _open(name: str, options: Mapping[str, Any]) -> Opened:
    """Open a workload; nothing is replayed yet."""
    workload = open_workload(name, options["seed"], options["form"], options["process"])
    conditions = Conditions(
        touch=Touch[options["touch"].upper()],
        limit=options["limit"],
        reserve=options["reserve"],
        timeout=options["timeout"],
        keep_settings=options["keep_settings"],
        recorded=options["threads"] == "recorded",
    )
    on = options["on"] or default_subject(workload)
    subject = subject_called(on, repeatable(workload), conditions)
    return Opened(name, subject, workload.reopen_with_sites)


def _examined(opened: Opened, question: Question) -> Examination:
    """Return the examination of a workload."""
    return examine(opened.subject, question, opened.with_sites)


def _log_notes(explanation: Explanation, trace: Trace) -> None:
    """Print the notes about a recording, and the warnings that are not in the report."""
    for note in trace.notes:
        log(f"note: {note}")
    for warning in warnings_of(explanation, trace):
        if warning not in explanation.cautions:
            log(f"warning: {warning}")


@contextmanager
def _named(workload: str) -> Iterator[None]:
    """Add the name of a workload to the message of an InputError, unless the message has it."""
    try:
        yield
    except InputError as error:
        message = str(error)
        is_named = message.startswith(f"{workload}:") or f"'{workload}'" in message
        raise InputError(message if is_named else f"{workload}: {message}") from None
