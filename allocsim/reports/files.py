"""Results in files, each whole or not there.

Above the texts that it writes, and `beside`, which writes them. Its one rule: a file that cannot
be written is an error that names it, never half a report.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from allocsim.atomic_file import written_whole
from allocsim.reports import Result
from allocsim.reports.json import json_text
from allocsim.reports.run_text import markdown_text


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
    with written_whole(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
