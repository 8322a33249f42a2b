"""Trace files: allocsim's own format, and recordings in the formats of other tools.

A recording contains the calls that a program made to malloc, free and similar functions. Each
format has a reader, which parses the recording into calls (see `calls`). `object_ids` turns the
calls into events (see `allocsim.events`), by the same rules for every format. Memory use grows
with the number of objects live at the same time, not with the length of the recording.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

from allocsim.call_sites.numbers import CallSites
from allocsim.capabilities import OF_FORMATS, Capabilities
from allocsim.errors import InputError
from allocsim.events import Trace
from allocsim.traces.formats import detect_format, forced_format
from allocsim.traces.native import file
from allocsim.traces.native.header import MAGIC, NAME
from allocsim.traces.source import Source, open_source


def open_trace(
    path: str, form: str | None = None, process: int | None = None, sites: bool = False
) -> Trace:
    """Open a trace file, or standard input if `path` is '-'.

    The input is read while the trace is consumed. `form` names the format; without it, the format
    is detected from the content. `process` is the process whose calls are used, by default the
    process that made the first call. With `sites`, call sites are read too, if the file has them
    and the format's reader supports them; reading then takes longer. Raises TraceError if the file
    cannot be read or is in no known format, and InputError if an option does not suit the file.
    """
    if file.is_allocsim_trace(path):
        _require_own_format(path, form, process)
        return file.read_trace(Path(path), sites)
    source = open_source(path)
    with ExitStack() as on_error:
        on_error.enter_context(closing(source))
        trace = _open(source, path, form, process, sites)
        on_error.pop_all()  # the trace now owns the source, and closes it
    return trace


def _open(source: Source, path: str, form: str | None, process: int | None, sites: bool) -> Trace:
    """Return the trace of a source, which contains an allocsim trace or a recording."""
    if source.head(len(MAGIC)) == MAGIC:
        _require_own_format(path, form, process)
        return file.read_stream(source, sites)
    # Imported here, because these modules account for a third of this package's load time, and an
    # allocsim trace does not need them.
    from allocsim.traces.readers import FORMATS
    from allocsim.traces.recording import events_of

    if form == NAME:
        raise InputError(f"{path}: not an allocsim trace; omit --format to detect its format")
    chosen = (
        detect_format(source, FORMATS) if form is None else forced_format(source, form, FORMATS)
    )
    reader = chosen.open(source)
    reader.process = process
    if sites and reader.knows_sites:
        reader.sites = CallSites()
    trace = Trace(
        name=path,
        chunks=iter(()),
        description={"kind": "trace", "file": path, "format": chosen.name},
        notes=reader.notes,
        capabilities=OF_FORMATS.get(chosen.name, Capabilities()),
        progress=source.share_read,
        resource=source,
        sites=reader.sites,
    )
    trace.chunks = events_of(reader, trace, process)
    return trace


def _require_own_format(path: str, form: str | None, process: int | None) -> None:
    """Raise InputError if another format, or a process, was chosen for an allocsim trace."""
    if form not in (None, NAME) or process is not None:
        raise InputError(
            f"{path}: this is an allocsim trace, which has the calls of one process only; omit "
            "--format and --process, or read the original recording"
        )
