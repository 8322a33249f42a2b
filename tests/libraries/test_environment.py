"""The environment of a measuring process: no malloc settings, and another malloc for Python."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from allocsim.errors import EnvironmentLacks
from allocsim.libraries import environment as module
from allocsim.libraries.environment import (
    HOSTS,
    TOP_PAD,
    child_environment,
    host_of,
    program_environment,
)
from allocsim.libraries.find import find_library
from allocsim.libraries.known_settings import FAMILIES

SETTINGS = {
    "MALLOC_CONF": "narenas:1",
    "MALLOC_ARENA_MAX": "1",
    "TCMALLOC_RELEASE_RATE": "0",
    "MIMALLOC_PURGE_DELAY": "0",
    "LD_PRELOAD": "/a/libuser.so",
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's settings of every library."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("library", [None, "jemalloc", "glibc", "/a/libx.so"])
def test_malloc_settings_are_removed(library: str | None) -> None:
    found = child_environment(library)
    assert not {"MALLOC_CONF", "MALLOC_ARENA_MAX", "TCMALLOC_RELEASE_RATE"} & set(found)
    assert "libuser" not in found.get("LD_PRELOAD", "")
    assert "tcache_count" not in found.get("GLIBC_TUNABLES", "")
    assert "PATH" in found


@pytest.mark.parametrize(
    "name",
    [
        *("mimalloc_purge_delay", "Mimalloc_Show_Stats", "SCUDO_OPTIONS", "GC_INITIAL_HEAP_SIZE"),
        *("_RJEM_MALLOC_CONF", "JEMALLOC_MALLOC_CONF", "TBB_MALLOC_USE_HUGE_PAGES", "MALLOCSTATS"),
        *("HEAPPROFILE", "HEAP_PROFILE_MMAP", "HEAPCHECK", "CPUPROFILE", "PERFTOOLS_VERBOSE"),
    ],
)
def test_setting_of_every_library_is_removed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert name not in child_environment("mimalloc")
    assert name not in program_environment(None)
    assert name in child_environment("mimalloc", keep_settings=True)


def test_variables_of_every_family_are_settings() -> None:
    """If a family of libraries is added, its variable must be added to the settings."""
    for family in FAMILIES.values():
        own = (family.own_variable or family.variable).format(NAME="X", name="x")
        assert module._is_setting(own), own


def test_settings_stay_with_keep_settings() -> None:
    found = child_environment("tcmalloc", keep_settings=True)
    assert found["MALLOC_CONF"] == "narenas:1"
    assert found["LD_PRELOAD"] == "/a/libuser.so"
    assert found["GLIBC_TUNABLES"].endswith(SETTINGS["GLIBC_TUNABLES"])
    assert TOP_PAD in found["GLIBC_TUNABLES"]


@pytest.mark.parametrize("glibc", ["glibc", find_library("glibc"), "glibc:arena_max=1"])
def test_glibc_is_measured_without_python_in_its_heap(glibc: str) -> None:
    host = host_of(glibc)
    if host is None:
        pytest.skip("neither mimalloc nor jemalloc is installed")
    assert child_environment(glibc)["LD_PRELOAD"] == find_library(host)
    assert TOP_PAD not in child_environment(glibc)["GLIBC_TUNABLES"]
    assert HOSTS[host].items() <= child_environment(glibc).items()
    assert host_of("jemalloc") is None


def test_without_another_library_glibc_serves_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_library", lambda _: None)
    assert host_of("glibc") is None
    assert child_environment("glibc")["LD_PRELOAD"] == ""


def test_program_gets_the_library_and_its_settings(odd_library: Callable[[str], Path]) -> None:
    """glibc needs no preload, and neither does a library to which the program is linked."""
    library = str(odd_library("nothing").resolve())
    assert program_environment(library)["LD_PRELOAD"] == library
    assert program_environment(library, True)["LD_PRELOAD"] == f"{library}:/a/libuser.so"
    assert "LD_PRELOAD" not in program_environment(library, is_linked=True)
    found = program_environment("glibc:arena_max=3")
    assert "LD_PRELOAD" not in found
    assert "arena_max=3" in found["GLIBC_TUNABLES"]
    assert "MALLOC_CONF" not in program_environment(None)
    with pytest.raises(EnvironmentLacks, match="no such library"):
        program_environment("/a/libx.so")


def test_caution_names_the_settings_that_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_\x1b", "1")
    caution = module.removal_caution(keep_settings=False)
    assert caution.startswith("ignored environment variables: GLIBC_TUNABLES, LD_PRELOAD, MALLOC_")
    remedy = "(to keep them, use --keep-settings, or keep_settings=True in Python)"
    assert caution.endswith(f"TCMALLOC_RELEASE_RATE {remedy}")
    assert caution.isprintable()
    assert module.removal_caution(keep_settings=True) == ""


def test_no_setting_needs_no_caution(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if module._is_setting(name)]:
        monkeypatch.delenv(name)
    assert module.removal_caution(keep_settings=False) == ""
