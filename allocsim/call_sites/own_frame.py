"""Own frames: the frames of the program itself and of the libraries that it uses.

The innermost frames of a stack belong to the allocator or to the language runtime: malloc, operator
new, the methods of std::vector, the Python interpreter. The first own frame is the innermost frame
that belongs to neither. It names a line that a programmer can change.
"""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import PurePath

from allocsim.call_sites.frame import Frame


class Rank(IntEnum):
    """The owner of a frame's code. A higher rank says more about the origin of an allocation."""

    ALLOCATOR = 0
    """malloc, its wrappers, or a recorder."""
    RUNTIME = 1
    """The standard library of C, C++ or Rust, or the Python interpreter."""
    OWN = 2
    """Anything else: the program, or a library that it uses."""


_ALLOCATORS = re.compile(
    r"(je_|tc_|mi_|__libc_|__GI___libc_|__interceptor_|rtl)?"
    r"(malloc|calloc|realloc|reallocarray|memalign|posix_memalign|aligned_alloc|valloc|pvalloc|free"
    r"|xmalloc|xcalloc|xrealloc|x?strn?dup|_int_malloc|_int_realloc|mtrace)(@.*)?"
    r"|_Zn[wa].*|operator new.*|tr_\w+hook|__gnu_cxx::__(new|pool|mt)_alloc.*"
    r"|_?Py_?(Mem|Object)_?(Raw)?(Malloc|Calloc|Realloc|Free|Strdup|Wcsdup)|pymalloc_alloc"
    r"|_PyMem_\w+|_PyObject_(Malloc|Calloc|Realloc)|PyObject_(Malloc|Calloc|Realloc)"
    r"|_?Py(Object|Type|Mem)_(GC_)?(New|NewVar|Resize|Alloc|GenericAlloc|Malloc|Calloc|Realloc)"
    r"|__rust_(alloc|realloc)\w*|__rdl_\w+|__rg_\w+|alloc::alloc::\w+|g_malloc\w*|g_realloc\w*"
)
"""malloc and similar functions, and those that only pass a request on to them."""

_ALLOCATOR_MODULES = re.compile(
    r"lib(heaptrack_\w+|jemalloc|tcmalloc\w*|mimalloc\w*|c_malloc_debug|allocsim\w*|lttng-ust[\w-]*"
    r"|asan|unwind)[.-].*|_memray\..*|_inject\..*"
)

_RUNTIME_MODULES = re.compile(
    r"(libc|libm|libdl|librt|libpthread|libstdc\+\+|libc\+\+|libc\+\+abi|libgcc_s|libgomp|ld-linux.*"
    r"|ld|ld-musl.*|linux-vdso|linux-gate|libpython\d.*)([.-].*)?|python\d?(\.\d+)?[\w-]*"
)
_RUNTIME_FUNCTIONS = re.compile(
    r"(std|__gnu_cxx|__cxxabiv1|core|alloc|hashbrown)::.*|_?start|__libc_start_main.*|_dl_.*"
)
_RUST_METHODS = re.compile(r"<(alloc|core|std|hashbrown)::.* as .*")
_RUNTIME_FILES = re.compile(
    r"<frozen .*|.*/include/c\+\+/.*|.*/(rustc|library)/(alloc|core|std)/.*"
    r"|(\./|.*/Python-3[\w.]*/)?(Include|Modules|Objects|Parser|Programs|Python)/.*\.[ch]|.*/memray/commands/\w+\.py"
)


def rank_of(frame: Frame) -> Rank:
    """Return the rank of a frame. Function names are matched only in native code."""
    module, name = PurePath(frame.module).name, _bare(frame.function) if frame.module else ""
    if _ALLOCATOR_MODULES.fullmatch(module) or _ALLOCATORS.fullmatch(name):
        return Rank.ALLOCATOR
    is_runtime = (
        _RUNTIME_MODULES.fullmatch(module)
        or _RUNTIME_FILES.fullmatch(frame.file)
        or _RUNTIME_FUNCTIONS.fullmatch(name)
        or _RUST_METHODS.fullmatch(frame.function)
    )
    return Rank.RUNTIME if is_runtime else Rank.OWN


def _bare(function: str) -> str:
    """Return a function's name without its parameters, template arguments and return type.

    The demangled name of a C++ function template includes the return type.
    """
    bare, depth = "", 0
    for character in function:
        if character == "(" and depth == 0:
            break
        depth += (character == "<") - (character == ">")
        bare += character if depth == 0 and character != ">" else ""
    return bare if bare.startswith("operator new") else bare.rpartition(" ")[2]
