"""scripts/verify-explain: three checks of the explanations of footprints.

sums: in a replay of each of twenty workloads, the bytes of all owners sum to the footprint. On a
library, the pages also sum to the growth of the process, unless a warning gives the difference.
programs: if one line of a program causes most of its footprint, the explanation names this line as
the first owner, and replays without its objects confirm it. For other programs, the explanation
contains a known text.
shares: the bytes that a group of objects owns are compared with those that are saved in a replay
without the group.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from allocsim.errors import AllocsimError
from allocsim.explanation.sentences import EXPLAINED
from tests.explanation.calibration import PAIRS, calibrate
from tests.explanation.guilty import PROGRAM_LIST, explained, faults
from tests.explanation.sums import DESIGNS, LIBRARIES, WORKLOADS, check_sums

COUNT = 30_000
"""Objects that each program allocates."""


@click.command()
@click.option("--only", type=click.Choice(["sums", "programs", "shares"]), help="Run one check.")
@click.option("--workloads", default=len(WORKLOADS), help="Number of workloads of `sums`.")
def main(only: str | None, workloads: int) -> None:
    """Verify the explanations of designs and libraries."""
    wrong: list[str] = []
    parts = {"sums": _sums(WORKLOADS[:workloads]), "programs": _programs(), "shares": _shares()}
    for name, lines in parts.items():
        if only in (None, name):
            for is_wrong, line in lines:
                click.echo(("FAILED: " if is_wrong else "") + line)
                wrong += [line] if is_wrong else []
    sys.exit(1 if wrong else 0)


def _sums(workloads: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """Check the sums; yield (whether it is a failure, text) for each line of the report."""
    maps, exact, warned = 0, 0, 0
    for workload in workloads:
        for subject in (*DESIGNS, *LIBRARIES):
            try:
                checked = check_sums(workload, subject)
            except (AllocsimError, AssertionError) as error:
                yield True, f"{Path(workload).name} on {subject}: {error}"
                continue
            maps += checked.maps
            inexact = [caution for caution in checked.cautions if "pages sum to" in caution]
            warned += len(inexact)
            exact += checked.maps - len(inexact) if subject in LIBRARIES else 0
            for caution in inexact:
                yield False, f"{Path(workload).name} on {subject}: {caution}"
        yield False, f"{Path(workload).name}: sums are exact"
    pages = f"on libraries, {exact} also sum to the growth of the process, {warned} have a warning"
    yield False, f"{maps} heap maps sum to the footprint; {pages}"


def _programs() -> Iterator[tuple[bool, str]]:
    """Explain each program on lib:glibc and on the design glibc; yield lines as `_sums` does."""
    for program in PROGRAM_LIST:
        with tempfile.TemporaryDirectory() as directory:
            try:
                recording = program.record(Path(directory) / "place", COUNT)
            except pytest.skip.Exception as skipped:
                yield False, f"{program.file}: skipped: {skipped}"
                continue
            for subject in ("lib:glibc", "glibc"):
                found = explained(recording, subject)
                wrong = faults(program, found)
                text = "; ".join(wrong) or found.sentences[0]
                yield bool(wrong), f"{program.file} on {subject}: {text}"


def _shares() -> Iterator[tuple[bool, str]]:
    """Compare owned and saved bytes for each of PAIRS; yield lines as `_sums` does."""
    first = total = 0
    for workload, subject, at in PAIRS:
        found = calibrate(workload, subject, at)
        savings = [saved for _, _, saved in found.groups]
        first += bool(savings) and savings[0] == max(savings)
        total += bool(savings)
        yield False, f"{workload} at {at} on {subject}: {found.line()}"
        for name in found.unsaid():
            text = f"owned and saved bytes differ by more than a factor of {EXPLAINED}"
            yield True, f"{name}: {text}, but no sentence says so"
    yield False, f"the largest owner gives the largest saving in {first} of {total} pairs"


if __name__ == "__main__":
    main()
