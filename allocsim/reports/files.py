"""Results in files: written beside, then renamed, so a file is whole or not there.

Above the texts that it writes. Its one rule: what existed under the name is lost only when its
successor is complete.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import tempfile
from pathlib import Path

from allocsim.errors import EnvironmentLacks
from allocsim.reports import Result
from allocsim.reports.json import json_text
from allocsim.reports.markdown import markdown_text


def write_json(path: Path, result: Result) -> None:
    """Write the JSON object."""
    write_whole(path, json_text(result) + "\n")


def write_markdown(path: Path, result: Result) -> None:
    """Write the report as Markdown."""
    write_whole(path, markdown_text(result))


def write_csv(path: Path, result: Result) -> None:
    """Write the samples, one row each, under a row of names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.profile.samples.dtype.names or ())
    writer.writerows(result.profile.samples.tolist())
    write_whole(path, text.getvalue())


def write_whole(path: Path, text: str) -> None:
    """Make `path` hold `text`; EnvironmentLacks, and the old file as it was, if that fails."""
    try:
        if path.exists() and not path.is_file():  # a device or a pipe cannot be renamed over
            path.write_text(text, "utf-8", "backslashreplace")
        else:
            _replace(path.resolve(), text)  # a link goes on leading to its file
    except OSError as error:
        raise EnvironmentLacks(f"cannot write '{path}': {error.strerror or error}") from error


def _replace(path: Path, text: str) -> None:
    """Write a file beside `path` and rename it."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    handle, beside = tempfile.mkstemp(prefix=".allocsim-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(mode)
        Path(beside).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(beside).unlink()
        raise


def _umask() -> int:
    """The process's mask for new files, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
