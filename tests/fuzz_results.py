"""Fuzzing of files other than traces and jobs.

The files are saved results, rows of a sweep, tables of size classes, and tables of rates. A damaged
file is read, and then used as the commands use such a file.
"""

import contextlib
import io
import json
import random
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from allocsim import Heap
from allocsim.cli.thresholds import compare_with, read_baseline, report
from allocsim.designs import find_design
from allocsim.errors import AllocsimError, CheckFailed
from allocsim.generators.empirical import Empirical
from allocsim.limits import Tolerance
from allocsim.pictures.sweep_page import sweep_page
from allocsim.player import Options, replay_trace
from allocsim.quantities import Size
from allocsim.reports.comparison_text import comparison_json
from allocsim.reports.run_text import json_text
from allocsim.reports.sweep_screen import print_sweep
from allocsim.reports.sweep_text import rows_csv, sweep_json
from allocsim.saved_results import read_saved
from allocsim.sweep.results import collect
from allocsim.sweep.rows_file import read_rows
from tests.mutations import mutated
from tests.reports.comparisons import compared
from tests.reports.results import small_result
from tests.sweep.cells import rows_of_all_kinds

RATES = (
    b"size, alloc_rate, num_live\n8, 100.5, 20\n# rare\n64, 3, 1e3\n4096, .25, 5\n262144, 1e-3, 0\n"
)

VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 8, 1 << 61, 1 << 63, 10**400, 1e300, float("nan"), float("inf"), 0.5, "",
    "=1+1", "\x1b[2J", "a:b=c", "lib:", "\ud800", "\0", "9" * 4000, [], {}, [[]], ["x"] * 300,
)  # fmt: skip
"""Replacements for a value of a JSON file."""


@cache
def originals() -> dict[str, tuple[bytes, ...]]:
    """Return valid files of each kind."""
    designs = [find_design(name) for name in ("tcmalloc", "go")]
    tables = [design.require_class_rules().own(design.checked({})) for design in designs]
    return {
        "results": (json_text(small_result()).encode(), comparison_json(compared()).encode()),
        "rows": (b"".join(msgspec.json.encode(each) + b"\n" for each in rows_of_all_kinds()),),
        "classes": tuple(
            json.dumps({"classes": [{"size": size} for size in sizes]}).encode() for sizes in tables
        ),
        "rates": (RATES,),
    }


def read_result(path: Path) -> None:
    """Compare a saved result with itself; compare it with a valid result, in both directions."""
    whole = path.with_name("whole.json")
    whole.write_bytes(originals()["results"][1])
    for base, result in ((path, whole), (whole, path), (path, path)):
        # Two results may have times of different clocks.
        tolerance = Tolerance(0.1, 0.2 if base is result else None)
        baseline, found = read_baseline(str(base), tolerance), read_saved(str(result))
        findings = compare_with(baseline, found, tolerance)
        for as_json in (False, True):
            with contextlib.suppress(CheckFailed):
                report(findings, found, baseline, as_json)


def read_sweep(path: Path) -> None:
    """Write every report of a file of rows."""
    rows = list(read_rows(path))
    results = collect(rows)
    if results.columns:
        print_sweep(results, 3)
        sweep_page(results, str(path), "")
        assert "\x1b" not in sweep_json(results, "") + rows_csv(rows)


def read_classes(path: Path) -> None:
    """Use the table of size classes in the two designs that accept tables; one may reject it."""
    failures = []
    for design in ("tcmalloc", "go"):
        try:
            with Heap(design, reserve=1 << 30, size_classes=str(path)) as heap:
                for size in (1, 100, 5000, 40_000):
                    heap.free(heap.malloc(size))
                assert not heap.check()
        except AllocsimError as error:
            failures.append(error)
    if len(failures) == 2:
        raise failures[0]


def read_rates(path: Path) -> None:
    """Replay the workload that a table of sizes and rates defines."""
    with Heap(reserve=64 << 20) as heap:
        replay_trace(
            heap, Empirical(file=str(path), heap=Size(100_000), ops=500).trace("fuzz"), Options()
        )


READ: dict[str, Callable[[Path], None]] = {
    "results": read_result,
    "rows": read_sweep,
    "classes": read_classes,
    "rates": read_rates,
}
"""Functions that read and use a file, by kind."""


def read_quietly(kind: str, path: Path) -> None:
    """Read and use a file, without its reports on standard output."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        READ[kind](path)


def damaged(kind: str, rng: random.Random) -> bytes:
    """Return a damaged file of a kind."""
    original = rng.choice(originals()[kind])
    is_json = kind != "rates" and rng.random() < 0.7
    return (with_other_values if is_json else mutated)(original, rng)


def with_other_values(content: bytes, rng: random.Random) -> bytes:
    """Return lines of JSON, or one JSON file, with a few values replaced, removed or copied."""
    lines = content.splitlines() if content.startswith(b'{"schema":') else [content]
    files = [json.loads(line) for line in lines]
    for _ in range(rng.choice((1, 1, 2, 5))):
        _damage(rng.choice(files), rng)
    return b"".join(json.dumps(each).encode() + b"\n" for each in files)


def _damage(value: Any, rng: random.Random) -> None:
    """Replace, remove or copy a value somewhere in a parsed file."""
    keys = list(value) if isinstance(value, dict) else [*range(len(value))]
    if not keys:
        return
    key = rng.choice(keys)
    if isinstance(value[key], dict | list) and rng.random() < 0.8:
        _damage(value[key], rng)
    elif rng.random() < 0.1:
        del value[key]
    else:
        # deepcopy, because a list in two places would be damaged in both, and could contain itself.
        value[key] = deepcopy(rng.choice((*VALUES, value[rng.choice(keys)])))
