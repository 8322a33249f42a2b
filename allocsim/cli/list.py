"""`allocsim list`."""

from __future__ import annotations

import click


@click.command("list")
@click.argument(
    "what",
    type=click.Choice(["designs", "workloads", "formats", "libraries"]),
    required=False,
)
def command(what: str | None) -> None:
    """Show the designs, the shipped workloads, the trace formats, or the libraries here.

    Without a word all four.
    """
    from allocsim.reports.names import print_names

    for name in [what] if what else _LISTS:
        print_names(_LISTS[name](), None if what else name)


def _designs() -> dict[str, str]:
    """Every design, with what it is, and its parameters with what they do."""
    from allocsim.designs import SUMMARIES, design_summaries, find_design

    found = {}
    for name, summary in design_summaries().items():
        found[name] = summary
        if name not in SUMMARIES:
            continue  # listing does not run the code of an installed design
        for key, parameter in find_design(name).parameters.items():
            default = parameter.shown(parameter.default)
            found[f"  --set {key}={default}"] = f"{parameter.meaning}; {parameter.expected}"
    return found


def _workloads() -> dict[str, str]:
    """Every shipped job and trace, with what it models."""
    from allocsim.jobs import bundled_jobs, bundled_traces, opening_comment

    return {path.stem: opening_comment(path) for path in bundled_jobs()} | bundled_traces()


def _formats() -> dict[str, str]:
    """Every format of traces, with an example."""
    from allocsim.traces.native.file import NAME, SUMMARY
    from allocsim.traces.readers import FORMATS

    return {form.name: form.summary for form in FORMATS} | {NAME: SUMMARY}


def _libraries() -> dict[str, str]:
    """Every malloc library that is known, with its version and file or what brings it."""
    from allocsim.libraries.find import PREFIX
    from allocsim.libraries.versions import describe_libraries

    return {PREFIX + name: told for name, told in describe_libraries().items()}


_LISTS = {
    "designs": _designs,
    "workloads": _workloads,
    "formats": _formats,
    "libraries": _libraries,
}
