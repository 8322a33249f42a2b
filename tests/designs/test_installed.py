"""Designs of installed packages, which are found through entry points."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from allocsim.cli import cli
from allocsim.designs import design_summaries, find_design
from allocsim.errors import InputError, UnknownName
from tests.designs.outside import SMALLEST

NAMES = "slots = slots_design:DESIGN\nbroken = slots_nowhere:DESIGN\ngo2008 = slots_design:DESIGN\n"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with three designs: a valid one, a broken one, and one named go2008."""
    (tmp_path / "slots_design.py").write_text(SMALLEST)
    info = tmp_path / "slots-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slots\nVersion: 1.2\nSummary: S\n")
    (info / "entry_points.txt").write_text(f"[allocsim.designs]\n{NAMES}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "slots_design", raising=False)


def test_installed_design_is_found_by_its_name() -> None:
    assert find_design("slots").name == "slots"


def test_installed_designs_are_listed_without_running_them() -> None:
    assert design_summaries()["slots"] == "S (slots 1.2)"
    done = CliRunner().invoke(cli, ["list", "designs"])
    assert "S (slots 1.2)" in done.output
    assert "slots_design" not in sys.modules


def test_installed_design_runs() -> None:
    done = CliRunner().invoke(cli, ["random", "--ops", "9", "--design", "slots"])
    assert done.exit_code == 0, done.output


def test_installed_design_cannot_replace_a_bundled_one() -> None:
    assert find_design("go2008").state.__module__.startswith("allocsim.designs.go2008")
    assert "slots" not in design_summaries()["go2008"]


def test_broken_installed_design_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"'broken' \(slots_nowhere:DESIGN\): ModuleNotFound"):
        find_design("broken")


def test_unknown_design_names_installed_ones() -> None:
    with pytest.raises(UnknownName, match="did you mean 'slots'"):
        find_design("slotss")
