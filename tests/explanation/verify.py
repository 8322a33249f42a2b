"""scripts/verify-explain: sums on twenty workloads, programs with a known answer, shares.

Sums: the owners of each replay sum to the footprint. The pages of a library sum to the growth of
its process, or a warning gives the difference. Programs: the guilty line is the first owner, and
replays confirm it. Shares: owned bytes are compared with the savings of replays without the group.
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
@click.option("--only", type=click.Choice(["sums", "programs", "shares"]), help="Make one part.")
@click.option("--workloads", default=len(WORKLOADS), help="Number of workloads for the sums.")
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
    """Yield whether the result is wrong, and a line of the report, for each workload."""
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
    yield False, f"{maps} maps sum; pages equal the growth in {exact}, and {warned} have a warning"


def _programs() -> Iterator[tuple[bool, str]]:
    """Yield whether the result is wrong, and a line, for each program on library and design."""
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
    """Yield whether the result is wrong, and a line, for each pair of workload and subject."""
    first = total = 0
    for workload, subject, at in PAIRS:
        found = calibrate(workload, subject, at)
        savings = [saved for _, _, saved in found.groups]
        first += bool(savings) and savings[0] == max(savings)
        total += bool(savings)
        yield False, f"{workload} at {at} on {subject}: {found.line()}"
        for name in found.unsaid():
            yield True, f"{name}: they differ by a factor of {EXPLAINED}, which is not said"
    yield False, f"the largest owner is the largest saving in {first} of {total} pairs"


if __name__ == "__main__":
    main()
