"""The function `allocsim.tune` gives the same result as the command `tune`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import allocsim
from allocsim.errors import InputError
from allocsim.tuning_result import TuningResult
from tests.test_api import printed
from tests.tuning.tuned import row, tuning

CALLS = "1: malloc 0x10 64\n2: malloc 0x20 1100\n"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _in_empty_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run each test in a directory that has only two recordings."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine.txt", "other.txt"):
        Path(name).write_text(CALLS)


def test_tuning_is_what_tune_prints_and_its_table_can_be_replayed() -> None:
    trace = allocsim.open_trace("mine.txt")
    found = allocsim.tune(
        trace,
        "tcmalloc",
        hold_back=["other.txt"],
        floor=0.3,
        scale=2,
        threads="one",
        reserve="256MiB",
        release_rate=10,
    )
    assert found.call == (
        "allocsim.tune('mine.txt', design='tcmalloc', hold_back='other.txt', floor=0.3, scale=2, "
        "threads='one', reserve='256MiB', release_rate=10)"
    )
    result = found.as_dict()
    line = "tune mine.txt --design tcmalloc --hold-back other.txt --floor 30% --scale 2"
    shown = printed(f"{line} --threads one --reserve 256MiB --set release_rate=10")
    assert result.pop("command") == found.call
    shown.pop("command")
    assert result == shown
    assert [each.name for each in found.rows] == ["2 x mine.txt", "2 x other.txt"]
    profile = allocsim.replay("mine.txt", "tcmalloc", size_classes=found.size_classes)
    assert profile.parameters["size_classes"] == found.size_classes


def test_table_has_a_row_for_each_class() -> None:
    found = TuningResult(tuning(), "")
    assert found.table["size"].tolist() == [16, 64, 8192, 262144]
    assert found.size_classes == "16,64,8192,262144"
    assert found.table[1].tolist() == (64, 1, 128, 32, 2.0)
    assert np.issubdtype(found.table.dtype["weight"], np.floating)
    assert "64" in found.source


def test_tuning_is_shown_as_text_and_as_html() -> None:
    found = TuningResult(tuning(rows=[row(name=HOSTILE, footprint=111)]), "")
    start = f"tcmalloc: 4 size classes instead of 85, for {HOSTILE}"
    assert repr(found) == f"<Tuning {start}>"
    html = found._repr_html_()
    assert html.count("<table") == 2
    assert "&lt;script&gt;" in html
    assert HOSTILE not in html
    (objection,) = found.objections
    assert f"<p>{objection}</p>".replace(HOSTILE, "&lt;script&gt;alert(1)&lt;/script&gt;") in html


def test_module_does_not_replace_the_function() -> None:
    assert "tune" in dir(allocsim)
    for name in ("allocsim.tuning.tuning", "allocsim.api_tune"):
        importlib.import_module(name)
    assert callable(allocsim.tune)


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "no workload": (lambda: allocsim.tune([], "tcmalloc"), "there is no workload"),
    "workload": (lambda: allocsim.tune(5, "tcmalloc"), "expected a str"),  # type: ignore[arg-type]
    "no file": (lambda: allocsim.tune("gone.txt", "tcmalloc"), "gone.txt"),
    "array without axes": (
        lambda: allocsim.tune(np.array(5), "go"),
        "tune: workloads is .*; expected a str",
    ),
    "endless held back": (
        lambda: allocsim.tune("mine.txt", "go", hold_back=count()),  # type: ignore[arg-type]
        "hold_back is 0 .*; expected a str",
    ),
    "held back": (lambda: allocsim.tune("mine.txt", "tcmalloc", hold_back="gone"), "gone"),
    "design": (lambda: allocsim.tune("mine.txt", "tcmaloc"), "did you mean 'tcmalloc'"),
    "no text": (lambda: allocsim.tune("mine.txt", 5), "design is 5"),  # type: ignore[arg-type]
    "library": (lambda: allocsim.tune("mine.txt", "lib:glibc"), "'lib:glibc' is a library"),
    "no classes": (lambda: allocsim.tune("mine.txt", "go2008"), "go2008"),
    "table": (lambda: allocsim.tune("mine.txt", "go", size_classes="8"), "cannot be set"),
    "parameter": (lambda: allocsim.tune("mine.txt", "go", colour=1), "colour"),
    "floor": (lambda: allocsim.tune("mine.txt", "go", floor=25), "floor is 25 .* from 0 to 1"),
    "seconds": (lambda: allocsim.tune("mine.txt", "go", seconds=-1), "seconds is -1"),
    "seed": (lambda: allocsim.tune("mine.txt", "go", seed=-1), "seed is -1"),
    "scale": (lambda: allocsim.tune("mine.txt", "go", scale=0), "scale is 0"),
    "threads": (lambda: allocsim.tune("mine.txt", "go", threads="two"), "threads is 'two'"),
    "reserve": (lambda: allocsim.tune("mine.txt", "go", reserve="much"), "tune: reserve"),
}


@pytest.mark.parametrize(("call", "reason"), WRONG.values(), ids=WRONG)
def test_wrong_argument_is_an_input_error(call: Callable[[], object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        call()
