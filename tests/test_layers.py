"""What is public, and what stays unloaded until it is needed."""

import re
import subprocess
import sys

import pytest

import allocsim
from allocsim.cli import COMMANDS
from tests.conftest import REPOSITORY

HEAVY = ("numba", "numpy", "rich", "msgspec", "allocsim.core", "allocsim.heap")


def loaded(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    child = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=True,
    )
    return set(child.stdout.split())


def test_public_names_are_those_of_the_docstring() -> None:
    listed = re.findall(r"^    (\w+) ", allocsim.__doc__ or "", re.MULTILINE)
    assert sorted(listed) == sorted(set(allocsim.__all__) - {"__version__"})
    assert sorted(listed) == sorted(allocsim._PLACES)


@pytest.mark.parametrize("name", allocsim.__all__)
def test_public_name_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(allocsim, name)
    assert name == "__version__" or (found.__name__ == name and found.__doc__)


def test_public_names_are_what_a_star_imports() -> None:
    names: dict[str, object] = {}
    exec("from allocsim import *", names)
    assert set(allocsim.__all__) <= set(names)


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'allocsim' has no attribute 'Haep'"):
        allocsim.Haep  # noqa: B018


@pytest.mark.parametrize(
    "module",
    [
        *("allocsim", "allocsim.cli", "allocsim.errors"),
        *(f"allocsim.cli.{name.replace('-', '_')}" for name in COMMANDS),
    ],
)
def test_import_loads_nothing_heavy(module: str) -> None:
    modules = loaded(f"import {module}")
    assert module in modules
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([c, "--help"] for c in COMMANDS)]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    statement = (
        "from click.testing import CliRunner\nfrom allocsim.cli import cli\n"
        f"assert CliRunner().invoke(cli, {arguments!r}).exit_code == 0"
    )
    assert loaded(statement).isdisjoint(HEAVY)


def test_quantities_load_nothing_heavy() -> None:
    assert loaded("import allocsim.text").isdisjoint(HEAVY)
