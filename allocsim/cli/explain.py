"""`allocsim explain`."""

from __future__ import annotations

from typing import Any

import click

from allocsim.cli.completion import complete_subjects, complete_workload
from allocsim.cli.options import (
    DEFAULT_RESERVE,
    recording_options,
    require_writable,
    touch_option,
)
from allocsim.cli.output import export, log
from allocsim.cli.types import CountType, MomentType, SecondsType, SizeType

_FILE = click.Path(dir_okay=False)


@click.command("explain")
@click.argument("name", metavar="WORKLOAD", shell_complete=complete_workload)
@click.option(
    "--on",
    metavar="SUBJECT",
    default="lib:glibc",
    show_default=True,
    shell_complete=complete_subjects,
    help="Design or library, as `compare --on` names them; most programs run on glibc.",
)
@click.option(
    "--at",
    type=MomentType(),
    metavar="MOMENT",
    default="worst",
    show_default=True,
    help="peak, live-peak, worst (largest footprint - live), end, or a number of events.",
)
@click.option(
    "--by",
    metavar="A,B,...",
    help="Group the owners by site (call site), size, thread, age or lifetime; by default by site "
    "and size if the recording has call sites, else by size and lifetime.",
)
@click.option(
    "--what-if",
    "what_if",
    metavar="GROUP",
    multiple=True,
    help="Experiment with a group, given as the tables name it; by default with the first group. "
    "May be repeated.",
)
@click.option(
    "--seconds",
    type=SecondsType(),
    default=10.0,
    show_default=True,
    help="Start no new experiment after this time.",
)
@click.option("--no-what-if", is_flag=True, help="Make no experiments.")
@touch_option
@click.option(
    "--limit", type=SizeType(), help="Fail (exit 1) when the footprint exceeds this size."
)
@click.option(
    "--reserve",
    type=SizeType(),
    default=DEFAULT_RESERVE,
    show_default="64GiB",
    help="Address space for a design's heap, which limits the heap's size.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=SecondsType(),
    default=600.0,
    show_default=True,
    help="Kill a process that replays on a library after this many seconds.",
)
@click.option(
    "--keep-settings",
    is_flag=True,
    help="Keep MALLOC_CONF, TCMALLOC_*, MIMALLOC_* and LD_PRELOAD in the environment.",
)
@click.option("--seed", type=CountType(0, 2**62), help="Random seed; overrides that of a job.")
@recording_options
@click.option("--json", is_flag=True, help="Print the result as one JSON object, with all rows.")
@click.option(
    "--pprof",
    type=_FILE,
    help="Write the owners by stack as a profile for pprof (`go tool pprof`, speedscope).",
)
@click.option(
    "--collapsed",
    type=_FILE,
    help="Write the owners by stack as collapsed stacks (flamegraph.pl, speedscope).",
)
@click.option(
    "--measure",
    type=click.Choice(["objects", "live", "rounding", "pinned", "owned"]),
    default="owned",
    show_default=True,
    help="Number in --collapsed: objects, or bytes. `owned` sums to the footprint.",
)
def command(name: str, form: str | None, process: int | None, **options: Any) -> None:
    """Show who owns the footprint, and what would change it.

    WORKLOAD is a trace, a job file or a bundled workload. It is replayed up to a moment. A live
    object then owns its bytes, its rounding, and its share of the free bytes in spans or pages that
    live objects keep in use. The rest of the footprint belongs to no object: caches, free memory,
    metadata. Each experiment replays the workload with one change and measures the footprint.
    """
    exports = [options[name] for name in ("pprof", "collapsed") if options[name]]
    require_writable(exports)
    from allocsim.cli.drive import command_line
    from allocsim.explanation.explanation import Question, explain
    from allocsim.explanation.repeatable import repeatable
    from allocsim.reports.explanation_screen import print_explanation
    from allocsim.reports.explanation_text import explanation_json
    from allocsim.reports.trace_warnings import trace_warnings
    from allocsim.workloads import open_workload

    by = [each.strip() for each in (options["by"] or "").split(",") if each.strip()]
    seconds = 0.0 if options["no_what_if"] else options["seconds"]
    question = Question(options["at"], by, options["what_if"], seconds, bool(exports))
    workload = open_workload(name, options["seed"], form, process)
    opened = repeatable(workload)

    def with_sites() -> Any:
        """Open the workload with its call sites, unless it can be read only once."""
        if workload.reopen is None:
            return opened()
        return open_workload(name, options["seed"], form, process, sites=True)

    found, trace = explain(_subject(opened, options), question, with_sites)
    for note in trace.notes:
        log(f"note: {note}")
    for warning in trace_warnings(trace):
        log(f"warning: {warning}")
    _export(found, trace.name, options)
    if options["json"]:
        click.echo(explanation_json(found, trace, command_line()))
    else:
        print_explanation(found, trace.name)


def _export(found: Any, workload: str, options: dict[str, Any]) -> None:
    """Write the owners by stack to the files that --pprof and --collapsed name."""
    from allocsim.reports.collapsed_stacks import collapsed_stacks
    from allocsim.reports.pprof import pprof_profile

    export(
        [
            (options["pprof"], lambda: pprof_profile(found, workload)),
            (options["collapsed"], lambda: collapsed_stacks(found.stacks, options["measure"])),
        ]
    )


def _subject(opened: Any, options: dict[str, Any]) -> Any:
    """Return the subject that --on names."""
    from allocsim.benchmark.comparison import Conditions
    from allocsim.driver import Touch
    from allocsim.explanation.subject import subject_called

    conditions = Conditions(
        touch=Touch[options["touch"].upper()],
        limit=options["limit"],
        reserve=options["reserve"],
        timeout=options["timeout"],
        keep_settings=options["keep_settings"],
    )
    return subject_called(options["on"], opened, conditions)
