"""The key of a directory of compiled kernels: what changes it, and what does not."""

import sys
from pathlib import Path

import pytest

from allocsim.core import kernel_cache
from allocsim.core.kernel_cache import environment_key


def test_two_copies_of_the_package_have_different_keys(tmp_path: Path) -> None:
    assert len(environment_key()) == 16
    assert environment_key(tmp_path) != environment_key()


@pytest.mark.parametrize("package", ["numba", "numpy"])
def test_another_version_has_another_key(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    before, version = environment_key(), kernel_cache.version
    monkeypatch.setattr(
        kernel_cache, "version", lambda name: "0" if name == package else version(name)
    )
    assert environment_key() != before


@pytest.mark.parametrize("name", ["NUMBA_BOUNDSCHECK", "NUMBA_OPT", "NUMBA_LOOP_VECTORIZE"])
def test_setting_that_changes_the_code_has_another_key(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    before = environment_key()
    monkeypatch.setenv(name, "1")
    assert environment_key() != before


def test_setting_that_does_not_change_the_code_has_the_same_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = environment_key()
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    assert environment_key() == before


def test_setting_that_is_no_utf_8_has_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "\udcff")
    assert len(environment_key()) == 16


def test_another_python_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment_key()
    monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-399")
    assert environment_key() != before
