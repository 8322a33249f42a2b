"""Imports: a replaced function is called by one library, and only by that library."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from allocsim.libraries.imports import replace_import
from allocsim.libraries.load import load

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


@pytest.mark.parametrize("binding", ["-Wl,-z,now", "-Wl,-z,lazy", "-fno-plt"])
def test_library_calls_the_replacement(compiler: str, tmp_path: Path, binding: str) -> None:
    path, other = tmp_path / "libmine.so", tmp_path / "libother.so"
    for each in (path, other):
        options = ["-shared", "-fPIC", "-Wl,-z,relro", binding, "-o", str(each), "-x", "c", "-"]
        subprocess.run([compiler, *options], input=SOURCE.encode(), check=True)
    library, untouched = load(f"{path}:my_"), load(f"{other}:my_")
    assert library.handle.my_call() != 77
    assert replace_import(library, "getpagesize", ADDRESS)
    assert library.handle.my_call() == 77
    assert untouched.handle.my_call() != 77


def test_function_that_is_not_imported_is_not_replaced() -> None:
    assert not replace_import(load("glibc"), "clock_gettime", ADDRESS)
    assert not replace_import(load("glibc"), "no_such_function", ADDRESS)
