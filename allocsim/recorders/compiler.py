"""The C compiler, which compiles the libraries that recorders preload (`guard` and `preload`)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from allocsim.recorders.base import RecorderFailed, run_command

INSTALL = "apt install gcc libc6-dev"

SEARCH_PATHS = ("COMPILER_PATH", "CPATH", "C_INCLUDE_PATH", "GCC_EXEC_PREFIX", "LIBRARY_PATH")
"""Variables that tell gcc where headers, libraries and programs are. In a list of directories, an
empty element, as in ":/opt/include", is the current directory."""

SHARED = ("-shared", "-fPIC")
"""Options that make a shared library."""


def why_no_compiler() -> str | None:
    """Return a message with the remedy if no C compiler is installed, or else None."""
    return None if shutil.which("cc") else f"no C compiler is installed: {INSTALL}"


def can_load_from(directory: Path) -> bool:
    """Return whether the file system of an existing directory allows code to be loaded from it."""
    return not os.statvfs(directory).f_flag & os.ST_NOEXEC


def compile_library(library: Path, *arguments: str | Path) -> None:
    """Compile a shared library.

    The compiler runs in the directory of the library, and its temporary files are there too. If the
    compiler ran in the user's current directory, an empty or relative element of SEARCH_PATHS could
    make it use one of the user's files, such as a header.

    Raises RecorderFailed if the compiler fails, or if no library can be loaded from the directory.
    """
    if not can_load_from(library.parent):
        raise RecorderFailed(
            "the directory for temporary files is mounted noexec; set TMPDIR to another directory"
        )
    # If PATH is not set, Python finds cc in the default path, but gcc does not find ld there.
    default = {"PATH": os.defpath}
    variables = {**default, **os.environ, "LC_ALL": "C", "TMPDIR": str(library.parent)}
    variables.pop("LD_RUN_PATH", None)  # the linker would store it in the library
    found = shutil.which("cc")
    compiler = Path(found).absolute() if found else "cc"  # the path may be relative
    command = (compiler, *SHARED, *arguments, "-o", library)
    result = run_command(*command, env=variables, directory=library.parent)
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or [f"status {result.returncode}"]
        message = next((line for line in lines if "error" in line), lines[-1])[-200:]
        # If a header is missing, installing the packages helps. Other errors have other causes.
        remedy = f"; {INSTALL}" if "No such file" in message else ""
        raise RecorderFailed(f"the C compiler failed: {message}{remedy}")
