"""Job files: a workload's parameters in TOML, checked, and where the shipped ones lie.

Above the generators, below the command line. `kind` names the generator, the other keys are its
parameters. Its one rule: what a job file says and nobody understands is an error, never ignored.
"""

from __future__ import annotations

import re
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
from allocsim.text import Size, parse_size

KINDS: dict[str, type[Generator]] = {
    "random": Random,
    "repeat": Repeat,
    "sweep": Sweep,
    "server": Server,
    "pipeline": Pipeline,
    "phases": Phases,
    "empirical": Empirical,
}
"""The generators by the name of their kind."""

LONGEST = 1 << 20
"""Bytes of the longest job file."""

_PART = rb"""[ \t]*+(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+"""
_DEEP_KEY = re.compile(rb"(?:\." + _PART + rb"){128}")
"""A key of more than 128 parts. A parser of TOML walks them all for each key that stands below, so
a file of 1 MiB could take it an hour."""


def make_generator(parameters: dict[str, Any]) -> Generator:
    """The generator of these parameters; InputError, naming the key, if they cannot be."""
    given = dict(parameters)
    kind = given.pop("kind", None)
    if not isinstance(kind, str):
        raise InputError(f'a job needs a kind, as in kind = "random"; there is: {", ".join(KINDS)}')
    if kind not in KINDS:
        raise UnknownName("kind of workload", kind, KINDS)
    try:
        return msgspec.convert(given | {"kind": kind}, KINDS[kind], dec_hook=_size)
    except (msgspec.ValidationError, RecursionError) as error:
        known = ", ".join(KINDS[kind].__struct_fields__)
        raise InputError(f"{error}; the keys of kind '{kind}' are: {known}") from error


def read_job(path: Path) -> Generator:
    """The generator that a job file describes; JobError, naming file and key, if it does not."""
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST + 1)
    except OSError as error:
        raise JobError(f"{path}: {error.strerror or error}") from error
    if len(text) > LONGEST:
        raise JobError(f"{path}: longer than 1 MiB, which no job file is")
    if _DEEP_KEY.search(text):
        raise JobError(f"{path}: a key of more than 128 parts, which no job file has")
    try:
        return make_generator(_beside(path, msgspec.toml.decode(text)))
    except InputError as error:
        raise JobError(f"{path}: {error}") from error
    except (msgspec.DecodeError, ValueError, RecursionError, AttributeError) as error:
        raise JobError(f"{path}: not TOML: {error}") from error


def _beside(path: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters with the path of a file that they name counted from the job file."""
    file = parameters.get("file")
    return parameters | {"file": str(path.parent / file)} if isinstance(file, str) else parameters


def find_job(name: str) -> Path:
    """The job file that the user means: a path, or the name of a shipped workload."""
    if name.endswith(".toml") or "/" in name:
        return Path(name)
    place = shipped() / f"{name}.toml"
    if not _is_file(place):
        known = [job.stem for job in shipped_jobs()]
        raise UnknownName("workload", name, known)
    return place


def shipped_jobs() -> list[Path]:
    """The job files that come with allocsim, by name."""
    return sorted(shipped().glob("*.toml"))


def find_trace(name: str) -> str:
    """The trace that the user means: a path, or the name of a shipped one."""
    if "/" not in name and not _is_file(Path(name)):
        for place in shipped().glob(f"{glob_escape(name)}.*.gz"):
            return str(place)
    return name


def shipped_traces() -> dict[str, str]:
    """The recorded traces that come with allocsim: name -> what was recorded."""
    names = [place.name.partition(".")[0] for place in sorted(shipped().glob("*.gz"))]
    return dict.fromkeys(names, "a recording, for replay; workloads/README.md says of what")


def shipped() -> Path:
    """Where the shipped workloads lie: in the installed package, or beside it in a clone."""
    packaged = Path(str(files("allocsim"))) / "workloads"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "workloads"


def story(path: Path) -> str:
    """The comment that opens a job file: what it models and how to read the result."""
    lines = path.read_text("utf-8").splitlines()
    opening = []
    for line in lines:
        if not line.startswith("#"):
            break
        opening.append(line.lstrip("# "))
    return " ".join(opening).strip()


def _is_file(path: Path) -> bool:
    """Whether there is such a file; a name that cannot be one is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _size(wanted: type, found: Any) -> Any:
    """Read a Size from a number or from a text such as "64KiB"; a ValueError gets its place."""
    if wanted is Size and isinstance(found, int | str) and not isinstance(found, bool):
        try:
            return Size(parse_size(str(found)))
        except InputError as error:
            raise ValueError(str(error)) from error
    raise ValueError(f'expected a size, as in 65536 or "64KiB", found {found!r}')
