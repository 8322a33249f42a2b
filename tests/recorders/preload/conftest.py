"""Fixtures: the compiled recorder and test programs, and a counter of the programs' calls."""

import subprocess
from pathlib import Path

import pytest

from allocsim.recorders.compiler import why_no_compiler
from allocsim.recorders.preload.library import recorder_library
from tests.recorders.preload.running import HERE, Chain

PROGRAMS = "programs"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `counter.so`, and with `programs` as an executable and as a library."""
    reason = why_no_compiler()
    if reason is not None:
        pytest.skip(reason)
    place = tmp_path_factory.mktemp("compiled")
    common = ("cc", "-O1", "-w", "-fno-builtin")
    shared = ("-shared", "-fPIC")
    for output, source, options in (
        ("counter.so", "counter.c", shared),
        ("programs", "programs.c", ()),
        ("programs.so", "programs.c", shared),
    ):
        command = [*common, *options, "-o", str(place / output), str(HERE / source)]
        subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    return place


@pytest.fixture(scope="session")
def library(compiled: Path) -> Path:
    """The recorder's library."""
    return recorder_library(compiled)


@pytest.fixture
def chain(compiled: Path, library: Path, tmp_path: Path) -> Chain:
    """A Chain, which runs a program with the counter and the recorder preloaded."""
    return Chain(library, compiled / "counter.so", tmp_path)


@pytest.fixture
def program(compiled: Path) -> str:
    """The path of the test programs."""
    return str(compiled / PROGRAMS)
