"""Shell completion of workloads, files, designs, libraries, formats, columns and topics.

A shell waits for each completion, so nothing here imports Numba. Designs, libraries, formats and
columns are defined in modules that import Numba. This module repeats their names, and a test
compares the two.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import click
    from click.shell_completion import CompletionItem

    Completions = list[CompletionItem] | list[str]
    Completer = Callable[[click.Context, click.Parameter, str], Completions]

DESIGNS = ("go2008", "tcmalloc", "go", "glibc")
LIBRARIES = (
    "lib:glibc", "lib:jemalloc", "lib:tcmalloc", "lib:mimalloc", "lib:scudo", "lib:tbb", "lib:gc",
)  # fmt: skip
FORMATS = (
    "allocsim", "aosp", "lttng", "heaptrack", "mtrace", "valgrind", "memray", "ltrace", "logalloc",
    "go-trace", "csapp", "glibc-wl", "glibc-mtrace", "malloc-bench",
)  # fmt: skip
COLUMNS = (
    "footprint", "x-live", "end", "kept", "kept-later", "ns", "spread", "resident", "committed",
    "p50", "p99", "p99.9", "faults", "seconds", "overhead",
)  # fmt: skip


def _completer(complete: Callable[[str], Completions]) -> Completer:
    """Adapt `complete` to click, which passes a context and a parameter before the text."""
    return lambda _context, _parameter, incomplete: complete(incomplete)


@_completer
def complete_workload(incomplete: str) -> list[CompletionItem]:
    """Complete a bundled job or recording, or a file."""
    return _names_or_file([*_jobs(), *_recordings()], incomplete)


@_completer
def complete_job(incomplete: str) -> list[CompletionItem]:
    """Complete a bundled job or a file."""
    return _names_or_file(_jobs(), incomplete)


@_completer
def complete_recording(incomplete: str) -> list[CompletionItem]:
    """Complete a bundled recording or a file."""
    return _names_or_file(_recordings(), incomplete)


@_completer
def complete_file(incomplete: str) -> list[CompletionItem]:
    """Complete a file."""
    return _file(incomplete)


@_completer
def complete_bundled(incomplete: str) -> list[str]:
    """Complete a bundled job or recording."""
    return _matching([*_jobs(), *_recordings()], incomplete)


@_completer
def complete_design(incomplete: str) -> list[CompletionItem]:
    """Complete a bundled or installed design, or the file of a design."""
    return _names_or_file(_designs(), incomplete)


@_completer
def complete_subjects(incomplete: str) -> list[CompletionItem]:
    """Complete the last name in a list of designs and libraries, separated by commas."""
    before, comma, last = incomplete.rpartition(",")
    candidates = [*_designs(), *LIBRARIES, *_library_settings(last)]
    names = [f"{before}{comma}{name}" for name in _matching(candidates, last)]
    return _items(names) or ([] if comma else _file(incomplete))


@_completer
def complete_format(incomplete: str) -> list[str]:
    """Complete a format of traces."""
    return _matching(FORMATS, incomplete)


@_completer
def complete_column(incomplete: str) -> list[str]:
    """Complete a column of a comparison."""
    return _matching(COLUMNS, incomplete)


@_completer
def complete_topic(incomplete: str) -> list[str]:
    """Complete a topic of `allocsim help`."""
    from allocsim.cli.topics import TOPICS

    return _matching(TOPICS, incomplete)


def _names_or_file(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Return the names and files that match; if no name matches, let the shell complete a path.

    A shell adds no file names to completions that a program returns, so the files of the current
    directory are added here.
    """
    matches = _matching(names, incomplete)
    if not matches:
        return _file(incomplete)
    files = _matching(sorted(entry.name for entry in os.scandir() if entry.is_file()), incomplete)
    # A line end in a name would be read as the end of a completion.
    visible = [name for name in files if name.isprintable() and not name.startswith(".")]
    return _items([*matches, *visible])


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    """Return the names that begin with `incomplete`."""
    return [name for name in names if name.startswith(incomplete)]


def _items(names: Iterable[str]) -> list[CompletionItem]:
    """Return names as completions."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names]


def _file(incomplete: str) -> list[CompletionItem]:
    """Return the completion that makes the shell complete a path."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def _designs() -> list[str]:
    """Return the designs of allocsim and of installed packages, without loading any of them."""
    from importlib.metadata import entry_points

    return [*DESIGNS, *(entry.name for entry in entry_points(group="allocsim.designs"))]


def _library_settings(subject: str) -> list[str]:
    """Complete the last setting of a library, as in `lib:jemalloc:dirty_d`."""
    before, colon, _ = subject.rpartition(":")
    library = next((each for each in LIBRARIES if f"{before}:".startswith(f"{each}:")), None)
    if not colon or library is None:
        return []
    from allocsim.libraries.known_settings import FAMILIES

    family = FAMILIES.get(library.partition(":")[2])
    names = family.settings if family else ()
    return [f"{before}:{key}=" for key in names if f":{key}=" not in before]


def _jobs() -> list[str]:
    """Return the names of the bundled jobs."""
    return sorted(path.stem for path in _workloads().glob("*.toml"))


def _recordings() -> list[str]:
    """Return the names of the bundled recordings."""
    return sorted(path.name.partition(".")[0] for path in _workloads().glob("*.gz"))


def _workloads() -> Path:
    """Return the directory of bundled workloads, as `jobs.bundled_workloads` does."""
    from importlib.resources import files  # importing it at the top would add 5 ms to --help
    from pathlib import Path

    packaged = Path(str(files("allocsim"))) / "workloads"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "workloads"
