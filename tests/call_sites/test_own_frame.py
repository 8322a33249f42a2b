"""Own frames: frames of allocators and of language runtimes do not count as the program's own."""

import pytest

from allocsim.call_sites.frame import Frame
from allocsim.call_sites.own_frame import Rank, rank_of

LIBC, CPP = "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libstdc++.so.6"


@pytest.mark.parametrize(
    ("frame", "rank"),
    [
        (Frame("malloc", module=LIBC), Rank.ALLOCATOR),
        (Frame("malloc", module="/usr/bin/own-malloc"), Rank.ALLOCATOR),
        (Frame("operator new(unsigned long)", module=CPP), Rank.ALLOCATOR),
        (Frame("operator new[](unsigned long)", module="/bin/app"), Rank.ALLOCATOR),
        (Frame("_Znwm", module=CPP), Rank.ALLOCATOR),
        (Frame("je_malloc", module="/bin/app"), Rank.ALLOCATOR),
        (Frame("anything", module="/usr/lib/heaptrack/libheaptrack_preload.so"), Rank.ALLOCATOR),
        (Frame("xrealloc", "lib/xmalloc.c", 40, "/bin/ls"), Rank.ALLOCATOR),
        (Frame("_PyObject_Calloc", module="/usr/bin/python3.11"), Rank.ALLOCATOR),
        (Frame("PyMem_RawMalloc", module="/usr/bin/python3.11"), Rank.ALLOCATOR),
        (Frame("PyType_GenericAlloc", module="/usr/lib/libpython3.11.so.1.0"), Rank.ALLOCATOR),
        (Frame("__rust_alloc", module="/bin/app"), Rank.ALLOCATOR),
        (Frame("qsort", module=LIBC), Rank.RUNTIME),
        (Frame("_dl_init", "./elf/dl-init.c", 79, "/lib64/ld-linux-x86-64.so.2"), Rank.RUNTIME),
        (Frame("_PyEval_EvalFrameDefault", module="/usr/bin/python3.11"), Rank.RUNTIME),
        (Frame("std::vector<int>::reserve(unsigned long)", module="/bin/app"), Rank.RUNTIME),
        (Frame("void std::__push<int>(int*)", module="/bin/app"), Rank.RUNTIME),
        (Frame("alloc::vec::Vec<T>::push", module="/bin/app"), Rank.RUNTIME),
        (Frame("x", "/usr/include/c++/12/bits/stl_vector.h", 1, "/bin/app"), Rank.RUNTIME),
        (Frame("_find_and_load", "<frozen importlib._bootstrap>", 1178), Rank.RUNTIME),
        (Frame("_start", module="/bin/app"), Rank.RUNTIME),
        (Frame("list_append", "Objects/listobject.c", 862, "[native]"), Rank.RUNTIME),
        (Frame("x", "/tmp/Python-3.11.7/Modules/_json.c", 8, "[native]"), Rank.RUNTIME),
        (Frame("_PyObject_Malloc", "Objects/obmalloc.c", 2003, "[native]"), Rank.ALLOCATOR),
        (Frame("_run_tracker", "/lib/site-packages/memray/commands/run.py", 58), Rank.RUNTIME),
        (Frame("parse", "ext/Modules.c", 3, "[native]"), Rank.OWN),
        (Frame("main", "app.cpp", 3, "/bin/app"), Rank.OWN),
        (Frame("main(std::vector<int>)", "app.cpp", 3, "/bin/app"), Rank.OWN),
        (Frame("sqlite3MemMalloc", module="/usr/lib/libsqlite3.so.0"), Rank.OWN),
        (Frame("mallocate", module="/bin/app"), Rank.OWN),
        (Frame("libcurl_do", module="/usr/lib/libcurl.so.4"), Rank.OWN),
        (Frame("malloc", "/home/me/p.py", 7), Rank.OWN),
        (Frame("std::string remember(int)", "guilty.cpp", 11, "/bin/app"), Rank.OWN),
    ],
)  # fmt: skip
def test_rank_of_a_frame(frame: Frame, rank: Rank) -> None:
    assert rank_of(frame) == rank
