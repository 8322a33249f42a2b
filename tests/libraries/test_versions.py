"""The list of libraries: versions of the installed ones, packages for the others."""

from types import SimpleNamespace
from typing import cast

import pytest

from allocsim.libraries import find, versions
from allocsim.libraries.find import KNOWN, Known, find_library
from allocsim.libraries.load import LoadedLibrary, load
from allocsim.libraries.versions import describe_libraries, read_version
from tests.libraries.children import in_child, require

VERSION = (
    "import sys; from allocsim.libraries.load import load\n"
    "from allocsim.libraries.versions import read_version; print(read_version(load(sys.argv[1])))"
)


@pytest.mark.parametrize("name", KNOWN)
def test_version_is_the_librarys_own(name: str) -> None:
    require(name)
    version = in_child(VERSION, name).strip().removeprefix("gperftools ")
    if version == "None":
        assert name in ("scudo", "tbb")
        return
    assert all(part.isdigit() for part in version.split("."))
    assert version in describe_libraries()[name]


def test_library_that_is_not_installed_is_listed_with_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(find.KNOWN, "jemalloc", Known(("libnothing.so.9",), "libjemalloc2"))
    assert describe_libraries()["jemalloc"] == "not installed; Debian's package is libjemalloc2"


def test_list_without_versions_has_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for output in (None, b"garbage", b"[1]", b'{"glibc": 2}', b"\xff"):
        monkeypatch.setattr(versions, "output_of", lambda *_, output=output: output)
        assert describe_libraries()["glibc"] == f"version unknown, {find_library('glibc')}"


def test_glibc_tells_its_version_in_this_process() -> None:
    assert (read_version(load("glibc")) or "").startswith("2.")


@pytest.mark.parametrize(("number", "version"), [(209, "2.0.9"), (223, "2.2.3"), (30403, "3.4.3")])
def test_version_of_mimalloc_is_read_from_a_number(number: int, version: str) -> None:
    handle = SimpleNamespace(mi_version=lambda: number)
    assert versions._mimalloc(cast("LoadedLibrary", SimpleNamespace(handle=handle))) == version
