"""Job files and bundled workloads. A job file defines a generated workload.

A job file is TOML. The key `kind` names the generator; the other keys are its parameters. An
unknown key is an error, because it is probably misspelt.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from glob import escape as glob_escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from allocsim.errors import InputError, JobError, UnknownName
from allocsim.generators import Generator
from allocsim.generators.empirical import Empirical
from allocsim.generators.phases import Phases
from allocsim.generators.pipeline import Pipeline
from allocsim.generators.random import Random
from allocsim.generators.repeat import Repeat
from allocsim.generators.server import Server
from allocsim.generators.sweep import Sweep
from allocsim.input_file import is_file
from allocsim.quantities import Size, parse_size

KINDS: dict[str, type[Generator]] = {
    "random": Random,
    "repeat": Repeat,
    "sweep": Sweep,
    "server": Server,
    "pipeline": Pipeline,
    "phases": Phases,
    "empirical": Empirical,
}
"""The generators by their kind."""

MAX_JOB_FILE = 1 << 20
"""Maximum size of a job file, in bytes."""

_PART = rb"""[ \t]*+(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+"""
# The quantifiers are possessive (++, *+), so that the search takes linear time, without
# backtracking.
_DEEP_KEY = re.compile(rb"(?:\." + _PART + rb"){128}")
"""Matches a key of more than 128 parts. For every key in a table, a TOML parser walks all parts of
the table's name again, so a file of 1 MiB could take an hour."""


def make_generator(parameters: dict[str, Any]) -> Generator:
    """Return a generator with these parameters; raise InputError, which names any wrong key."""
    arguments = dict(parameters)
    kind = arguments.pop("kind", None)
    if not isinstance(kind, str):
        kinds = ", ".join(KINDS)
        raise InputError(f'a job needs a kind, as in kind = "random"; expected one of: {kinds}')
    if kind not in KINDS:
        raise UnknownName("kind of workload", kind, KINDS)
    try:
        return msgspec.convert(arguments | {"kind": kind}, KINDS[kind], dec_hook=_size)
    except (msgspec.ValidationError, RecursionError, UnicodeError) as error:
        known = ", ".join(KINDS[kind].__struct_fields__)
        raise InputError(f"{error}; the keys of kind '{kind}' are: {known}") from error


def read_job(path: Path) -> Generator:
    """Return the generator that a job file describes.

    Raises JobError, which names the file and the key, if the job is wrong.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_JOB_FILE + 1)
    except OSError as error:
        raise JobError(f"{path}: {error.strerror or error}") from error
    if len(text) > MAX_JOB_FILE:
        raise JobError(f"{path}: larger than 1 MiB, the maximum for a job file")
    if _DEEP_KEY.search(text):
        raise JobError(f"{path}: a key of more than 128 parts, the maximum for a job file")
    try:
        return make_generator(_relative_to(path, msgspec.toml.decode(text.removeprefix(BOM_UTF8))))
    except InputError as error:
        raise JobError(f"{path}: {error}") from error
    except (msgspec.DecodeError, ValueError, RecursionError, AttributeError) as error:
        raise JobError(f"{path}: not TOML: {error}") from error


def _relative_to(path: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters. A relative path under the key `file` starts at the job's directory."""
    file = parameters.get("file")
    return parameters | {"file": str(path.parent / file)} if isinstance(file, str) else parameters


def find_job(name: str) -> Path:
    """Return the path of a job file; `name` is this path, or the name of a bundled job."""
    if name.endswith(".toml") or "/" in name:
        return Path(name)
    path = bundled_workloads() / f"{name}.toml"
    if not is_file(path):
        raise UnknownName("workload", name, [job.stem for job in bundled_jobs()])
    return path


def bundled_jobs() -> list[Path]:
    """Return the job files that come with allocsim, sorted by name."""
    return sorted(bundled_workloads().glob("*.toml"))


def find_trace(name: str) -> str:
    """Return the path of a trace; `name` is this path, or the name of a bundled trace."""
    if "/" not in name and not is_file(name):
        # The files of bundled traces have names such as sqlite-orders.txt.gz.
        for path in bundled_workloads().glob(f"{glob_escape(name)}.*.gz"):
            return str(path)
    return name


def bundled_traces() -> dict[str, str]:
    """Return the recorded traces that come with allocsim, each with a description."""
    names = [path.name.partition(".")[0] for path in sorted(bundled_workloads().glob("*.gz"))]
    return dict.fromkeys(names, "a recording; `--show` describes it")


def describe_trace(name: str) -> str:
    """Return the description of a bundled recording, from the README.md next to the recording."""
    readme = (bundled_workloads() / "README.md").read_text("utf-8")
    _, start, rest = readme.partition(f"`{name}.")
    return (start + rest).partition("\n#")[0].strip() or bundled_traces()[name]


def bundled_workloads() -> Path:
    """Return the directory of the bundled workloads, in the installed package or in a clone."""
    packaged = Path(str(files("allocsim"))) / "workloads"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "workloads"


def opening_comment(path: Path) -> str:
    """Return the comment at the start of a job file, which says what the job models."""
    lines = path.read_text("utf-8").splitlines()
    opening = []
    for line in lines:
        if not line.startswith("#"):
            break
        opening.append(line.lstrip("# "))
    return " ".join(opening).strip()


def _size(wanted: type, value: Any) -> Any:
    """Convert a number or a text such as "64KiB" to a Size; msgspec adds the key to the error."""
    if wanted is Size and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return Size(parse_size(str(value)))
        except InputError as error:
            raise ValueError(str(error)) from error
    raise ValueError(f'expected a size, as in 65536 or "64KiB"; found {value!r}')
