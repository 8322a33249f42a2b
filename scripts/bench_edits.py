"""The cost of an edit: how many kernels the next `allocsim replay` compiles, and its CPU-seconds.

The script edits a copy of the package that has a kernel cache of its own. It appends a comment to
each file in turn, then a line of code to each. After each edit, two designs replay a bundled
workload. Run it as `.venv/bin/python scripts/bench_edits.py`; it takes some minutes.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]

FILES = (
    "traces/readers/heaptrack.py",
    "traces/readers/lttng.py",
    "reports/run_text.py",
    "cli/replay.py",
    "profile.py",
    "core/raw.py",
    "designs/go2008/thread_cache.py",
    "designs/tcmalloc/thread_cache.py",
    "driver.py",
    "generators/population.py",
)


def main() -> None:
    """Print a row for each file and kind of edit."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "allocsim", place / "allocsim", ignore=ignored)
        shutil.copytree(REPOSITORY / "workloads", place / "workloads")
        replay(place)
        print(f"{'edit':44} kernels  CPU s")
        report("none", replay(place))
        for line in ("# A comment.", "_EDITED = 1"):
            for file in FILES:
                with (place / "allocsim" / file).open("a") as source:
                    source.write(f"\n{line}\n")
                report(f"{line} in {file}", replay(place))


def report(edit: str, figures: tuple[int, float]) -> None:
    """Print one row."""
    print(f"{edit:44} {figures[0]:7} {figures[1]:6.1f}", flush=True)


def replay(place: Path) -> tuple[int, float]:
    """Replay on each design; return the number of compiled kernels, and the CPU-seconds."""
    cache = place / "cache"
    before = set(cache.rglob("*.nbc"))
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(place)}
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    for design in ("go2008", "tcmalloc"):
        command = [sys.executable, "-m", "allocsim", "replay", "sqlite-orders", "--design", design]
        subprocess.run(command, cwd=place, env=environment, check=True, capture_output=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
    return len(set(cache.rglob("*.nbc")) - before), seconds


if __name__ == "__main__":
    main()
