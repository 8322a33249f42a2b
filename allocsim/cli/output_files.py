"""Files that a command writes. They are checked before the command does any work.

An output is a parameter of OutputType. Every other parameter may name inputs, such as a workload or
a saved result. The name of an input may be a part of the value: `size_classes=FILE` names a table,
and `./mine.py:key=1,lib:/a/libx.so:x_` names a design file and a library. No output may replace an
input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# Used instead of pathlib, whose import takes 3 ms, a tenth of the time of --help.
from os import W_OK, X_OK, access, fstat, stat
from os.path import abspath, dirname, exists, isdir, isfile, join, realpath, samestat
from typing import Any

import click

from allocsim.errors import AllocsimError, EnvironmentLacks

STREAMS = {0: "standard input", 1: "standard output", 2: "standard error"}
"""The standard streams by their descriptor."""


class OutputType(click.Path):
    """The name of a file to write."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False)


def require_outputs(
    outputs: Sequence[str] = (), inputs: Sequence[str] = (), extended: str | None = None
) -> None:
    """Raise an error if an output cannot or must not be written.

    Checks the outputs and inputs on the command line, and those in `outputs` and `inputs`. Raises
    UsageError if an output is also an input. See `require_writable` for `extended` and for other
    errors.
    """
    context = click.get_current_context()
    written, read = [*outputs], [*inputs, *_texts(context.obj)]
    for parameter in context.command.params:
        if isinstance(parameter.type, click.Choice):
            continue  # the value is a word, not a file
        is_output = isinstance(parameter.type, OutputType)
        (written if is_output else read).extend(_texts(context.params.get(parameter.name or "")))
    require_writable(written, extended)
    suspects = [path for path in written if isfile(path) or _in_recording(path)]
    protected = {realpath(path) for path in _input_files(read) if path} if suspects else set()
    for path in suspects:
        if _is_input(path, protected):
            raise click.UsageError(f"'{path}' is an input of this command; write to another file")


def _in_recording(path: str) -> bool:
    """Return whether a file is in a directory of LTTng's streams, where every file is an input."""
    return isfile(join(dirname(realpath(path)), "metadata"))


def _is_input(path: str, inputs: set[str]) -> bool:
    """Return whether a file is an input, or is part of a recording of LTTng that is an input."""
    paths = [realpath(path)]
    while _in_recording(path) and paths[-1] != dirname(paths[-1]):
        paths.append(dirname(paths[-1]))
    return not inputs.isdisjoint(paths)


def require_writable(paths: Sequence[str], extended: str | None = None) -> None:
    """Raise an error if a file cannot be written.

    Two exports to one file are an error, because the second would replace the first. An export to
    the file of a standard stream is an error, because the text of the stream would be lost. The
    file `extended` is appended to; every other file is replaced.
    """
    files: set[str] = set()
    for path in paths:
        if not path:
            raise click.UsageError("the name of a file to write is empty")
        if path.endswith("/"):
            raise click.UsageError(f"'{path}' is a directory; expected a file to write")
        if realpath(path) in files:  # two names or links can lead to the same file
            raise click.UsageError(f"'{path}' is given for two exports; use two files")
        files.add(realpath(path))
        if not (isdir(dirname(abspath(path))) and isdir(dirname(realpath(path)))):
            raise click.UsageError(f"cannot write '{path}': no such directory")
        if (stream := _stream_of(path)) is not None:
            raise click.UsageError(f"'{path}' is the {stream} of this command; use another file")
        # A new file is written next to the old one and renamed, so the directory must be writable.
        is_replaced = not exists(path) or (isfile(path) and path != extended)
        if is_replaced and not access(dirname(realpath(path)), W_OK | X_OK):
            raise EnvironmentLacks(
                f"cannot write '{path}': no permission to write in its directory"
            )


def _stream_of(path: str) -> str | None:
    """Return the name of the standard stream that is open on this regular file, or None."""
    if not isfile(path):
        return None
    for descriptor, name in STREAMS.items():
        try:
            if samestat(fstat(descriptor), stat(path)):
                return name
        except OSError:  # the stream is closed
            continue
    return None


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a parameter's value, which may be a nested tuple or list."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _texts(each)


def _input_files(texts: Sequence[str]) -> Iterator[str]:
    """Yield every path that one of the texts may name. The path need not exist."""
    for text in texts:
        yield text
        yield from _workload_files(text)
        for subject in text.split(","):
            for part in (subject, *re.split("[:=]", subject)):
                yield part
                yield part.partition("=")[2]


def _workload_files(name: str) -> Iterator[str]:
    """Yield the files of a bundled workload, and the table of sizes that a job file names."""
    from allocsim.jobs import find_job, find_trace, read_job

    yield find_trace(name)
    if name.endswith(".toml") or "/" not in name:
        try:
            job = find_job(name)
            yield str(job)
            yield getattr(read_job(job), "file", "")
        except (AllocsimError, ValueError):  # it is not a job, or the command will report the error
            return
