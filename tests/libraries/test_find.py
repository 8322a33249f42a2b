"""Finding a library by its name or its path."""

import pytest

from allocsim.errors import EnvironmentLacks, UnknownName
from allocsim.libraries import find
from allocsim.libraries.find import Known, find_library, require_library


def test_library_that_is_not_installed_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(find.KNOWN, "glibc", Known(("libnothing.so.9",), "libc6"))
    with pytest.raises(EnvironmentLacks, match=r"glibc is not installed: install Debian's libc6"):
        require_library("glibc")
    assert find_library("glibc") is None


def test_unknown_library_suggests_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="did you mean 'jemalloc'"):
        require_library("gemalloc")


def test_missing_file_is_named() -> None:
    with pytest.raises(EnvironmentLacks, match=r"'/gone/libx\.so': no such library"):
        require_library("/gone/libx.so")


def test_glibc_is_found() -> None:
    assert (find_library("glibc") or "").endswith("/libc.so.6")
