"""`allocsim list`."""

from __future__ import annotations

from collections.abc import Callable

import click

from allocsim.cli.completion import complete_bundled


@click.command("list")
@click.argument(
    "what",
    type=click.Choice(["designs", "workloads", "formats", "libraries"]),
    required=False,
)
@click.option(
    "--show",
    metavar="NAME",
    shell_complete=complete_bundled,
    help="Print a bundled job file, or describe a bundled recording (with `workloads` only).",
)
def command(what: str | None, show: str | None) -> None:
    """List designs, workloads, trace formats and malloc libraries.

    Without an argument, prints all four lists.
    """
    if show is not None:
        if what != "workloads":
            raise click.UsageError(
                "--show needs `workloads`, as in `allocsim list workloads --show NAME`"
            )
        _show(show)
        return
    from allocsim.reports.names import print_names

    for name in [what] if what else _LISTS:
        print_names(_LISTS[name](), None if what else name)


def _show(name: str) -> None:
    """Print a bundled job file unchanged, or the description of a bundled recording."""
    from allocsim.jobs import bundled_jobs, bundled_traces, describe_trace, find_job

    if name in bundled_traces():
        click.echo(describe_trace(name))
    elif name in (job.stem for job in bundled_jobs()):
        click.echo(find_job(name).read_text("utf-8"), nl=False)
    else:
        from allocsim.errors import UnknownName

        known = [*(job.stem for job in bundled_jobs()), *bundled_traces()]
        raise UnknownName("bundled workload", name, known)


def _designs() -> dict[str, str]:
    """Return each design's summary, and the meaning of each parameter of a bundled design."""
    from allocsim.designs import SUMMARIES, design_summaries, find_design

    lines = {}
    for name, summary in design_summaries().items():
        lines[name] = summary
        # Finding the parameters of a design from another package would run that package's code.
        if name not in SUMMARIES:
            continue
        for key, parameter in find_design(name).parameters.items():
            default = parameter.shown(parameter.default)
            lines[f"  --set {key}={default}"] = f"{parameter.meaning}; {parameter.expected}"
    return lines


def _workloads() -> dict[str, str]:
    """Return every bundled job and recording with a description."""
    from allocsim.jobs import bundled_jobs, bundled_traces, opening_comment

    return {path.stem: opening_comment(path) for path in bundled_jobs()} | bundled_traces()


def _formats() -> dict[str, str]:
    """Return every trace format with an example."""
    from allocsim.traces.native.file import SUMMARY
    from allocsim.traces.native.header import NAME
    from allocsim.traces.readers import FORMATS

    return {form.name: form.summary for form in FORMATS} | {NAME: SUMMARY}


def _libraries() -> dict[str, str]:
    """Return every known malloc library with its version and file, and its settings.

    For a library that is not installed, returns how to install it.
    """
    from allocsim.libraries.find import PREFIX
    from allocsim.libraries.settings import available_settings
    from allocsim.libraries.versions import describe_libraries

    lines = {}
    for name, text in describe_libraries().items():
        lines[PREFIX + name] = text
        for key, setting in available_settings(name).items():
            lines[f"  {PREFIX}{name}:{key}={setting.example}"] = setting.meaning
    return lines


_LISTS: dict[str, Callable[[], dict[str, str]]] = {
    "designs": _designs,
    "workloads": _workloads,
    "formats": _formats,
    "libraries": _libraries,
}
