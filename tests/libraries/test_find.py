"""Finding a library by its name or its path."""

from pathlib import Path

import pytest

from allocsim.errors import EnvironmentLacks, UnknownName
from allocsim.libraries import find
from allocsim.libraries.find import (
    Known,
    default_libraries,
    find_library,
    is_own_glibc,
    require_library,
)


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


@pytest.mark.parametrize("file", ["libjemalloc.so.2", "libjemalloc-0a1b2c3d.so.2"])
def test_library_of_a_wheel_is_found(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = tmp_path / "something.libs" / file
    carried.parent.mkdir()
    carried.touch()
    monkeypatch.setattr(find, "_PATTERNS", ())
    monkeypatch.setattr(find, "_DIRECTORIES", ())
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    monkeypatch.setattr(find.site, "getsitepackages", lambda: [str(tmp_path)])
    assert find_library("jemalloc") == str(carried)
    assert find_library("mimalloc") is None


def test_glibc_given_by_its_path_is_the_machines_own(tmp_path: Path) -> None:
    path = find_library("glibc") or ""
    (tmp_path / "libc.so.6").symlink_to(path)
    for name in ("glibc", "glibc:arena_max=1", path, f"{path}:tcache_count=0", f"{path}:"):
        assert is_own_glibc(name), name
    assert is_own_glibc(str(tmp_path / "libc.so.6"))
    for other in ("jemalloc", "/gone/libc.so.6", str(Path(path).parent / "libm.so.6")):
        assert not is_own_glibc(other), other


def test_libraries_that_replace_no_malloc_are_measured_only_by_name() -> None:
    assert default_libraries() == ["glibc", "jemalloc", "tcmalloc", "mimalloc"]
