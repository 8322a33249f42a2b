"""Designs from a file that the user names: `--design ./mine.py`, `Heap("./mine.py")`.

Loading runs the file's code in a new module, whose name contains a hash of the file's path and
content. Numba's types and cached kernels carry that name, so an edited file never runs with a
kernel compiled from its former content. After an edit, loading the file again, for example in a
notebook, returns the new design.
"""

from __future__ import annotations

import hashlib
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from allocsim.designs.complete import complete
from allocsim.designs.design import Design
from allocsim.errors import InputError
from allocsim.input_file import require_regular

PREFIX = "allocsim_design_"
"""Start of the module names of design files."""

_LOADED: dict[str, Design] = {}
"""Designs already loaded, by the name of their module."""

_FILES: dict[str, str] = {}
"""Design files that were run: absolute path -> path as the user wrote it."""


def load_file(name: str) -> Design:
    """Return the design that a file defines; raise InputError if it defines none.

    An unchanged file that is loaded again is not run again.
    """
    path = Path(name)
    if path.suffix != ".py":
        raise InputError(f"'{name}' is not a design: expected a Python file (.py)")
    require_regular(path)
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: {getattr(error, 'strerror', None) or error}") from error
    module = _module_name(path.resolve(), content)
    if module not in _LOADED:
        try:
            _LOADED[module] = _load(module, path.resolve(), content, name)
        except BaseException:
            sys.modules.pop(module, None)
            raise
    return _LOADED[module]


def loaded_files() -> dict[str, str]:
    """Return the design files that this process has run.

    The keys are absolute paths; the values are the paths as the user wrote them.
    """
    return _FILES


def _module_name(path: Path, content: bytes) -> str:
    """Return a name that is the same in every process while path and content are the same."""
    digest = hashlib.sha256(str(path).encode(errors="surrogateescape") + b"\0" + content)
    stem = re.sub(r"\W", "_", path.stem)
    return f"{PREFIX}{stem}_{digest.hexdigest()[:16]}"


def _load(module: str, path: Path, content: bytes, name: str) -> Design:
    """Run the file as a module that Numba and pickle find by its name; return its design."""
    _FILES[str(path)] = name
    loaded = ModuleType(module)
    loaded.__file__ = str(path)
    sys.modules[module] = loaded
    try:
        exec(compile(content, str(path), "exec"), loaded.__dict__)
    except (Exception, SystemExit) as error:  # the file may call sys.exit
        raise InputError(f"{name}{_line_of(error, str(path))}: {_message(error)}") from error
    if not hasattr(loaded, "DESIGN"):
        raise InputError(f"{name}: the file defines no design; expected DESIGN = Design(...)")
    return complete(loaded.DESIGN, name)


def _line_of(error: BaseException, path: str) -> str:
    """Return ", line N" for the file's innermost frame in the error's traceback, or ""."""
    if isinstance(error, SyntaxError):  # lineno is None if the file contains a NUL byte
        return f", line {error.lineno}" if error.lineno else ""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    return f", line {lines[-1]}" if lines else ""


def _message(error: BaseException) -> str:
    """Return the type of an error and its message, if any. For an InputError, omit the type."""
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    if isinstance(error, InputError):
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
