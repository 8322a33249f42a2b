"""Replace a function that a library imports: only this library calls the replacement."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from allocsim.libraries import imports
from allocsim.libraries.imports import replace_import
from allocsim.libraries.load import LoadedLibrary, load

SOURCE = """
#include <stdlib.h>
#include <string.h>
int getpagesize(void);
void *my_malloc(size_t n) { return malloc(n); }
void *my_realloc(void *p, size_t n) { return realloc(p, n); }
void my_free(void *p) { free(p); }
int my_call(void) { return getpagesize(); }
int (*my_pointer)(void) = getpagesize;
"""

REPLACED = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 77)
ADDRESS = ctypes.cast(REPLACED, ctypes.c_void_p).value or 0


BINDINGS = ["-Wl,-z,now", "-Wl,-z,lazy", "-fno-plt"]


def loaded(compiler: str, path: Path, binding: str) -> LoadedLibrary:
    """Compile and load a library."""
    options = ["-shared", "-fPIC", "-Wl,-z,relro", binding, "-o", str(path), "-x", "c", "-"]
    subprocess.run([compiler, *options], input=SOURCE.encode(), check=True)
    return load(f"{path}:my_")


def access(path: Path) -> list[str]:
    """Return the access to each mapping of a file, such as "r--p"."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line.split()[1] for line in lines if line.endswith(str(path))]


@pytest.mark.parametrize("binding", BINDINGS)
def test_library_calls_the_replacement(compiler: str, tmp_path: Path, binding: str) -> None:
    library = loaded(compiler, tmp_path / "libmine.so", binding)
    untouched = loaded(compiler, tmp_path / "libother.so", binding)
    assert library.handle.my_call() != 77
    assert replace_import(library, "getpagesize", ADDRESS)
    assert library.handle.my_call() == 77
    assert untouched.handle.my_call() != 77


@pytest.mark.parametrize("binding", BINDINGS)
def test_access_to_the_library_is_as_before(compiler: str, tmp_path: Path, binding: str) -> None:
    path = tmp_path / "libmine.so"
    library = loaded(compiler, path, binding)
    before = access(path)
    assert replace_import(library, "getpagesize", ADDRESS)
    assert access(path) == before


def test_table_that_stays_read_only_is_not_changed(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "_protect", lambda *_: False)
    library = loaded(compiler, tmp_path / "libmine.so", "-Wl,-z,now")
    before = library.handle.my_call()
    assert not replace_import(library, "getpagesize", ADDRESS)
    assert library.handle.my_call() == before


def test_function_that_is_not_imported_is_not_replaced() -> None:
    assert not replace_import(load("glibc"), "clock_gettime", ADDRESS)
    assert not replace_import(load("glibc"), "no_such_function", ADDRESS)
