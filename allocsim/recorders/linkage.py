"""Recognise, before a program runs, that a recorder cannot record it.

Most recorders preload a library whose malloc replaces libc's. Such a recorder records nothing of a
statically linked program. If the program is linked to tcmalloc, mimalloc or jemalloc, most
recorders also miss its C++ allocations, because the operator new of these libraries does not call
malloc. Only allocsim's own recorder, which is called `preload`, records them, because its library
replaces operator new as well.
"""

from __future__ import annotations

import os
import re
import resource
import shlex
import shutil
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from allocsim.recorders.base import Request, run_command
from allocsim.recorders.elf import ElfFile, is_go_program, read_elf
from allocsim.recorders.malloc_files import MALLOC, is_libc
from allocsim.recorders.program import Program
from allocsim.text import distinct_bytes

NEW = ("_Znwm", "_Znam")
"""operator new(size_t) and operator new[](size_t), as compilers name them."""

_LIBRARY = re.compile(r"^\s*(?:\S+ => )?(/\S.*?) \(0x[0-9a-f]+\)$", re.MULTILINE)
"""The path in a line of the loader's list, such as "libm.so.6 => /lib/libm.so.6 (0x7f12)"."""


class Linkage(NamedTuple):
    """The allocator that a program uses."""

    allocator: str | None = None
    """The library whose malloc the program uses. None if that is libc."""
    bypasses_malloc: bool = False
    """Whether the program uses an operator new that does not call malloc."""


def why_not_preloaded(request: Request) -> str | None:
    """Return why a preloaded malloc would not replace the program's malloc, else None."""
    file = _executable(request.program.file)
    elf = read_elf(file, (MALLOC,))
    if elf is None:
        return None
    if not elf.is_native:
        return f"'{file}' is not a 64-bit program"
    if is_go_program(file):
        return (
            f"'{file}' is a Go program, which does not use malloc: let it call "
            "runtime/trace.Start, run it with GODEBUG=traceallocfree=1, and replay the trace that "
            "it writes"
        )
    if elf.interpreter is None:
        return f"'{file}' is statically linked, so no recorder can be preloaded"
    if _gains_rights(file):
        return (
            f"'{file}' gains privileges (set-uid, set-gid or file capabilities), so no recorder "
            "can be preloaded"
        )
    if MALLOC in elf.defined:
        return f"'{file}' has its own malloc, which a preloaded malloc does not replace"
    return None


def linked_allocator(program: Program) -> str | None:
    """Return the file name of a program's malloc library; None if it uses libc's malloc."""
    return linkage_of(_executable(program.file)).allocator


def why_unsuited(request: Request) -> str | None:
    """Return why a preloaded malloc would miss calls of the program, or None if it would not."""
    reason = why_not_preloaded(request)
    if reason is not None:
        return reason
    file = _executable(request.program.file)
    linkage = linkage_of(file)
    if linkage.bypasses_malloc:
        return (
            f"'{file}' is linked to {linkage.allocator}, whose operator new does not call malloc: "
            "link it to glibc's malloc to record it"
        )
    return None


def why_not_with_glibc_only(request: Request) -> str | None:
    """Return why glibc's debugging malloc cannot record the program, or None if it can."""
    allocator = linked_allocator(request.program)
    if allocator is None:
        return why_unsuited(request)
    return f"it records only glibc's malloc, and {request.program.name} is linked to {allocator}"


def why_no_room(needed: int) -> str | None:
    """Return why a recorder cannot have `needed` bytes of address space, or None if it can."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return None
    need, allowed = distinct_bytes(needed, limit)
    return f"its buffers need up to {need} of address space, and ulimit -v allows {allowed}"


@lru_cache(maxsize=8)
def linkage_of(file: str) -> Linkage:
    """Return the allocator of the program at `file`.

    The program's loader lists the libraries that it would load, without running the program.
    """
    elf = read_elf(file, NEW)
    if elf is None or elf.interpreter is None:
        return Linkage()
    listed = run_command(elf.interpreter, "--list", file)
    libraries = {path: read_elf(path, (MALLOC, *NEW)) for path in _LIBRARY.findall(listed.stdout)}
    others = {path: library for path, library in libraries.items() if library and not is_libc(path)}
    allocator = next((path for path, library in others.items() if MALLOC in library.defined), None)
    if allocator is None:
        return Linkage()
    bypasses = bool(others[allocator].defined & {*NEW}) and _uses_new(elf, others, allocator)
    return Linkage(Path(allocator).name, bypasses)


def _uses_new(program: ElfFile, libraries: dict[str, ElfFile], allocator: str) -> bool:
    """Return whether the program or one of its libraries calls operator new.

    The allocator itself and libstdc++, the C++ runtime library, do not count.
    """
    callers = [
        elf for path, elf in libraries.items() if path != allocator and "libstdc++" not in path
    ]
    return any(elf.imported & {*NEW} for elf in (program, *callers))


def _gains_rights(file: str) -> bool:
    """Return whether the program gains privileges, so that the loader ignores LD_PRELOAD.

    A program gains privileges if it is set-uid or set-gid to another user or group, or has file
    capabilities.
    """
    status = Path(file).stat()
    is_other = (status.st_mode & 0o4000 and status.st_uid != os.geteuid()) or (
        status.st_mode & 0o2000 and status.st_gid != os.getegid()
    )
    try:
        return bool(is_other) or (
            bool(os.getxattr(file, "security.capability")) and os.geteuid() != 0
        )
    except OSError:
        return bool(is_other)


def _executable(file: str) -> str:
    """Return the file that the kernel runs: if `file` is a script, the script's interpreter."""
    try:
        with Path(file).open("rb") as script:
            line = script.read(256).partition(b"\n")[0]
    except OSError:
        return file
    if not line.startswith(b"#!"):
        return file
    try:
        words = shlex.split(os.fsdecode(line[2:]))
    except ValueError:
        return file
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return (shutil.which(words[0]) if words else None) or file
