"""Which formats can be written, and which of them the name of a file means.

Above the writers, one file each; below the commands that write traces. Its one rule: the suffix
decides, unless the user names a format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from allocsim.errors import InputError
from allocsim.events import Trace
from allocsim.traces.native.file import write_trace
from allocsim.traces.readers.aosp import write_aosp
from allocsim.traces.writers.parquet import write_parquet


@dataclass(frozen=True)
class Writer:
    """A format that can be written."""

    suffixes: tuple[str, ...]
    """How the names of its files end."""
    write: Callable[[Trace, Path], None]
    """Writes a whole stream; the file is whole or as it was."""


WRITERS = {
    "allocsim": Writer((".allocsim",), write_trace),
    "aosp": Writer((".txt", ".txt.gz"), write_aosp),
    "parquet": Writer((".parquet",), write_parquet),
}
"""Every format that can be written, by name."""


def writer_for(path: Path, named: str | None = None) -> Writer:
    """The writer of a format that is named, or that the name of the file means; else InputError."""
    if named is not None:
        return WRITERS[named]
    for writer in WRITERS.values():
        if path.name.endswith(writer.suffixes):
            return writer
    known = ", ".join(f"{' or '.join(one.suffixes)} ({name})" for name, one in WRITERS.items())
    raise InputError(f"'{path}': its name does not say in which format to write; known are {known}")
