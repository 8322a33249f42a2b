"""Formats in which traces can be written, and the choice of a format by the file name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from allocsim.errors import InputError
from allocsim.events import Trace
from allocsim.traces.native.file import write_trace
from allocsim.traces.writers.aosp import write_aosp
from allocsim.traces.writers.parquet import write_parquet


@dataclass(frozen=True)
class Writer:
    """A format that can be written."""

    suffixes: tuple[str, ...]
    """Suffixes of its file names."""
    write: Callable[[Trace, Path], None]
    """Writes a whole trace. The file is replaced atomically, so after an error the old file
    remains."""
    keeps_sites: bool = False
    """Whether the call sites of the trace are written too."""


WRITERS = {
    "allocsim": Writer((".allocsim",), write_trace, keeps_sites=True),
    "aosp": Writer((".txt", ".txt.gz"), write_aosp),
    "parquet": Writer((".parquet",), write_parquet),
}
"""All writable formats, by name."""


def writer_for(path: Path, name: str | None = None) -> Writer:
    """Return the writer of the format `name`, one of the keys of WRITERS.

    If `name` is None, the suffix of `path` decides; raises InputError if no format has this suffix.
    """
    if name is not None:
        return WRITERS[name]
    for writer in WRITERS.values():
        if path.name.endswith(writer.suffixes):
            return writer
    choices = ", ".join(f"{' or '.join(form.suffixes)} ({name})" for name, form in WRITERS.items())
    raise InputError(f"'{path}': no known format suffix; expected {choices}")
