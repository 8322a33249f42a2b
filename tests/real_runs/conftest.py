"""Fixtures: a program that allocates, and the settings of its runs."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from allocsim.real_runs.under_library import RealConditions
from allocsim.recorders.quiet_run import QuietRuns

SOURCE = """\
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words)
{
    for (int i = 0; i < 200; i++)
        memset(malloc(20000), 1, 20000);
    usleep(300000); /* until its memory has been sampled, on a busy machine too */
    return count > 1 ? atoi(words[1]) : 0;
}
"""


@pytest.fixture(scope="session")
def program(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program that allocates 4 MB and exits with the status in its argument."""
    path = tmp_path_factory.mktemp("real") / "allocates"
    options = ["-x", "c", "-O1", "-fno-builtin", "-o", str(path), "-"]
    subprocess.run([compiler, *options], input=SOURCE.encode(), check=True)
    return str(path)


@pytest.fixture
def linked_program(compiler: str, tmp_path: Path) -> Path:
    """The same program, linked to a malloc library whose calls all fail."""
    library, path = tmp_path / "libown.so", tmp_path / "linked"
    source = b"void *malloc(unsigned long size) { return 0; }"
    options = ["-x", "c", "-shared", "-fPIC", "-o", str(library), "-"]
    subprocess.run([compiler, *options], input=source, check=True)
    options = ["-Wl,--no-as-needed", "-o", str(path), "-x", "c", "-", "-x", "none", str(library)]
    subprocess.run([compiler, *options], input=SOURCE.encode(), check=True)
    return path


@pytest.fixture
def conditions() -> Callable[..., RealConditions]:
    """A function that makes a RealConditions."""

    def make(runs: int = 2, status: int = 0) -> RealConditions:
        """Return the settings for `runs` runs that must exit with `status`."""
        return RealConditions(runs, status, QuietRuns(os.environ, 60.0), keep_settings=False)

    return make
