"""Numba's settings: no file of the current directory is read, and no warning has a traceback."""

import os
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import numba.core.config
import pytest

from allocsim.numba_settings import CONFIG, _Loader, guard_numba
from tests.cli.running import ENVIRONMENT, process

FILE = str(numba.core.config.__file__)


def loaded(warnings: list[str]) -> Any:
    """Return Numba's settings as loaded under `guard_numba`; append the warnings to the list."""
    module = ModuleType(CONFIG)
    _Loader(CONFIG, FILE, warnings.append).exec_module(module)
    return module


def test_file_of_the_current_directory_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("yaml")
    monkeypatch.delenv("NUMBA_OPT", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".numba_config.yaml").write_text(f"opt: '0'\ndump_html: {tmp_path}/victim\n")
    unguarded: Any = ModuleType(CONFIG)
    SourceFileLoader(CONFIG, FILE).exec_module(unguarded)
    assert (0, f"{tmp_path}/victim") == (unguarded.OPT, unguarded.HTML)
    warnings: list[str] = []
    guarded = loaded(warnings)
    guarded.reload_config()  # Numba calls this before each compilation
    assert (guarded.OPT, guarded.HTML, warnings) == (3, None, [])
    assert sys.modules["yaml"] is not None


BAD = {"NUMBA_OPT": "\x1b[31m", "NUMBA_DEBUG": "²", "NUMBA_CPU_NAME": "a\nb", "NUMBA_SHOW_HELP": ""}
BAD |= {"NUMBA_NUM_THREADS": "-1"}


def test_variable_that_numba_cannot_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BAD.items():
        monkeypatch.setenv(name, value)
    warnings: list[str] = []
    settings = loaded(warnings)
    settings.reload_config()
    assert sorted(warnings) == sorted(BAD)
    assert (settings.OPT, settings.CPU_NAME) == (3, None)
    assert settings.NUMBA_NUM_THREADS >= 1
    assert {name: os.environ[name] for name in BAD} == BAD


def test_imported_numba_is_left_alone() -> None:
    before = [*sys.meta_path]
    guard_numba(lambda name: pytest.fail(name))
    assert sys.meta_path == before


def test_command_names_the_variable_and_reads_no_file(tmp_path: Path) -> None:
    (tmp_path / ".numba_config.yaml").write_text("opt: '7'\n")
    bad = ENVIRONMENT | {"NUMBA_DEBUG_JIT": "\x1b[31mred"}
    ended = process("sizeclass-check", env=bad, cwd=tmp_path)
    assert ended.err == "allocsim: Numba cannot use NUMBA_DEBUG_JIT; the default is used\n"
    assert ended.status == 0
