"""The public names, and the modules that are not loaded before they are needed."""

import re
import subprocess
import sys
from pkgutil import iter_modules

import pytest

import allocsim
import allocsim.errors
from allocsim.cli import COMMANDS
from tests.conftest import REPOSITORY

HEAVY = ("numba", "numpy", "rich", "msgspec", "allocsim.core", "allocsim.heap")


def loaded(statement: str) -> set[str]:
    """Return the modules that a new interpreter has loaded after a statement."""
    child = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=True,
    )
    return set(child.stdout.split())


def test_public_names_are_those_of_the_docstrings() -> None:
    listed = re.findall(r"^    (\w+) ", allocsim.__doc__ or "", re.MULTILINE)
    drawn = re.findall(r"^ *([A-Z]\w+) {2,}", allocsim.errors.__doc__ or "", re.MULTILINE)
    assert set(listed) | set(drawn) == set(allocsim.__all__) - {"__version__"}
    assert set(allocsim._MODULES) == set(allocsim.__all__) - {"__version__"}


@pytest.mark.parametrize("name", allocsim.__all__)
def test_public_name_exists_and_has_a_docstring(name: str) -> None:
    found = getattr(allocsim, name)
    assert name == "__version__" or (found.__name__ == name and found.__doc__)


def test_public_names_are_what_a_star_imports() -> None:
    names: dict[str, object] = {}
    exec("from allocsim import *", names)
    assert set(allocsim.__all__) <= set(names)


def test_dir_lists_the_public_names_before_they_are_loaded() -> None:
    script = "import allocsim, sys\nprint(*dir(allocsim), 'numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    *names, has_numpy = done.stdout.split()
    assert set(allocsim.__all__) <= set(names)
    assert has_numpy == "False"


def test_no_module_has_the_name_of_a_public_function() -> None:
    """Importing a module of that name would replace the function by the module."""
    modules = {module.name for module in iter_modules(allocsim.__path__)}
    assert modules.isdisjoint(allocsim.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
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
    assert loaded("import allocsim.quantities").isdisjoint(HEAVY)
