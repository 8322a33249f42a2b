"""The recorder's C library: compiled when it is first used, and kept in the user's cache.

The name of the compiled file contains a digest of the sources, the compiler, its search paths and
the options. A file with this name was therefore compiled from exactly these sources.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from allocsim.core.kernel_cache import cache_directories, replace_file
from allocsim.recorders.base import run_command
from allocsim.recorders.compiler import SEARCH_PATHS, can_load_from, compile_library

SOURCE = Path(__file__).with_name("source") / "recorder.c"
"""The file to compile. It includes the other files of its directory."""

OPTIONS = (
    *("-std=gnu11", "-O2", "-g0", "-fno-builtin", "-fexceptions", "-fvisibility=hidden"),
    *("-Wl,-z,now", "-Wl,-soname,liballocsim-recorder.so"),
)
"""Options of the compiler. Without -fno-builtin, the compiler may assume what malloc does, even in
the library's own malloc. With -fexceptions, a hook sees the exception of a failed operator new."""

_LOADER = ("LD_AUDIT", "LD_DEBUG", "LD_PRELOAD")
"""Variables that can make the dynamic loader write into the compiler's output. `_key` removes them,
because the digest must not depend on them."""

LIBRARIES = ("-ldl", "-lpthread")
"""Libraries to link. Since glibc 2.34 both are empty, because their functions are in libc."""


def recorder_library(work: Path) -> Path:
    """Return the compiled library; compile it into `work` if no cache directory can be used.

    Raises RecorderFailed if the compiler fails, or if no library can be loaded from `work`.
    """
    key = _key()
    name = f"liballocsim-recorder-{key}.so"
    directories = cache_directories("recorder", key)
    cached = [path / name for path in directories if can_load_from(path)]
    for library in cached:
        if library.is_file():
            return library
    output = work / name
    compile_library(output, *OPTIONS, SOURCE, *LIBRARIES)
    for library in cached[:1]:
        with contextlib.suppress(OSError):  # no room, or a directory that can only be read
            replace_file(library, output.read_bytes())
            return library
    return output


def _key() -> str:
    """Return sixteen hex digits for the sources, the compiler, its search paths and the options."""
    quiet = {name: value for name, value in os.environ.items() if name not in _LOADER}
    version = run_command("cc", "-v", env={**quiet, "LC_ALL": "C"}).stderr
    sources = (path.read_text("utf-8") for path in sorted(SOURCE.parent.glob("*.[ch]")))
    paths = (f"{name}={os.environ[name]}" for name in SEARCH_PATHS if name in os.environ)
    facts = (*sources, version, *paths, *OPTIONS, *LIBRARIES)
    return hashlib.sha256(os.fsencode("\0".join(facts))).hexdigest()[:16]
