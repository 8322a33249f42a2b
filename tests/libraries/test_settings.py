"""Settings reach the library through its environment; an unknown setting is an error."""

from pathlib import Path

import pytest

from allocsim.errors import InputError, UnknownName
from allocsim.libraries.environment import child_environment
from allocsim.libraries.known_settings import FAMILIES
from allocsim.libraries.settings import (
    available_settings,
    family_of,
    require_settings,
    variables,
)
from tests.libraries.children import in_child, require

LOAD = "import ctypes, sys; from allocsim.libraries.load import load; library = load(sys.argv[1])\n"

READ_BACK = {
    "jemalloc:dirty_decay_ms=123": """
value = ctypes.c_ssize_t()
library.handle.mallctl(b"opt.dirty_decay_ms", ctypes.byref(value),
                       ctypes.byref(ctypes.c_size_t(8)), None, ctypes.c_size_t(0))
print(value.value == 123)""",
    "tcmalloc:max_total_thread_cache_bytes=3MiB": """
value = ctypes.c_size_t()
library.handle.MallocExtension_GetNumericProperty(
    b"tcmalloc.max_total_thread_cache_bytes", ctypes.byref(value))
print(value.value == 3 << 20)""",
    "mimalloc:purge_delay=12345": """
print(any(library.handle.mi_option_get(option) == 12345 for option in range(20)))""",
    "glibc:mmap_threshold=8KiB:top_pad=64": """
from allocsim.core import operations
from allocsim.libraries.counters import read_counters
before = read_counters(library)["hblks"]
operations.malloc(library.state, 0, 20_000)
print(read_counters(library)["hblks"] == before + 1)""",
}
"""For each library, settings and code that prints whether they are in force."""


@pytest.mark.parametrize("name", READ_BACK)
def test_setting_is_in_force(name: str) -> None:
    require(name.partition(":")[0])
    require_settings(name)
    assert in_child(LOAD + READ_BACK[name], name) == "True\n"
    without = name.partition(":")[0]
    assert in_child(LOAD + READ_BACK[name], without) == "False\n"


@pytest.mark.parametrize("name", FAMILIES)
def test_library_given_by_its_path_has_the_same_settings(name: str) -> None:
    path = require(name)
    assert family_of(path) == name
    assert available_settings(path).keys() == available_settings(name).keys() != set()


@pytest.mark.parametrize("name", FAMILIES)
def test_examples_are_valid(name: str) -> None:
    for key, setting in FAMILIES[name].settings.items():
        assert variables(f"{name}:{key}={setting.example}", {})


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("glibc:arena_mx=1", UnknownName, "setting of glibc 'arena_mx'.*did you mean 'arena_max'"),
        ("glibc:arena_max=0", InputError, "arena_max=0: expected a number of at least 1"),
        ("glibc:arena_max=many", InputError, "arena_max=many: expected a number"),
        ("jemalloc:dss=no", InputError, "dss=no: expected one of disabled, primary, secondary"),
        ("jemalloc:tcache=2", InputError, "tcache=2: expected 0 or 1"),
        ("/a/libx.so:arena_max=1", InputError, "allocsim knows no settings of /a/libx.so"),
    ],
)
def test_unknown_setting_is_an_error(name: str, error: type[InputError], message: str) -> None:
    with pytest.raises(error, match=message):
        require_settings(name)


def test_setting_that_the_installed_version_lacks_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "libold.so"
    file.write_bytes(b"\0mi_version\0reset_delay\0decommit_delay\0")
    with pytest.raises(InputError, match="has no setting 'page_reset'; it has: purge_delay"):
        require_settings(f"{file}:page_reset=1")
    assert variables(f"{file}:purge_delay=0", {}) == {"MIMALLOC_DECOMMIT_DELAY": "0"}


def test_build_of_jemalloc_with_a_prefix_has_its_own_variable(tmp_path: Path) -> None:
    file = tmp_path / "libmy.so"
    file.write_bytes(b"\0my_mallctl\0narenas\0MY_MALLOC_CONF\0")
    assert variables(f"{file}:my_:narenas=2", {}) == {"MY_MALLOC_CONF": "narenas:2"}


def test_values_are_written_as_each_library_reads_them() -> None:
    assert variables("jemalloc:tcache=off:narenas=2", {}) == {
        "MALLOC_CONF": "tcache:false,narenas:2"
    }
    assert variables("tcmalloc:skip_sbrk=yes:heap_limit_mb=1K", {}) == {
        "TCMALLOC_SKIP_SBRK": "1",
        "TCMALLOC_HEAP_LIMIT_MB": "1024",
    }
    assert variables("scudo:zero_contents=1", {}) == {"SCUDO_OPTIONS": "zero_contents=true"}


def test_settings_of_a_subject_come_after_those_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=9")
    found = child_environment("glibc:arena_max=1", keep_settings=True)["GLIBC_TUNABLES"]
    assert found.index("arena_max=9") < found.index("arena_max=1")
    assert "arena_max=9" not in child_environment("glibc:arena_max=1")["GLIBC_TUNABLES"]
