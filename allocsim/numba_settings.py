"""Guard the settings of Numba: ignore the settings file, and report bad environment variables.

When Numba is imported, it reads the variables NUMBA_* of the environment. If PyYAML is installed,
it also reads `.numba_config.yaml` in the current directory. This file may have come with a
downloaded trace. Its settings can disable the compiler, and make Numba overwrite other files. If
Numba cannot parse a variable, it prints a traceback and the unescaped value.

Only allocsim's command line and its child processes call `guard_numba`. In another Python program
that imports allocsim, Numba reads its settings as usual.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

CONFIG = "numba.core.config"
"""The module of Numba that reads the settings when it is imported."""

PREFIX = "NUMBA_"

THREADS = "NUMBA_NUM_THREADS"
"""The variable for the number of threads. Numba does not check the value while reading it."""

_BEGINNING = "Environment variable '"
"""The beginning of Numba's warning about a variable; the name of the variable follows."""


def guard_numba(warn: Callable[[str], None]) -> None:
    """Guard a later import of Numba. `warn` is called with the name of each bad variable.

    Does nothing if Numba has been imported already.
    """
    if CONFIG not in sys.modules:
        sys.meta_path.insert(0, _Finder(warn))  # a finder needs only the method find_spec


class _Finder:
    """Finds CONFIG, once, and makes `_Loader` load it."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.warn = warn

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the spec of CONFIG; None for any other module."""
        if name != CONFIG:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(name, spec.origin, self.warn)
        return spec


class _Loader(SourceFileLoader):
    """Loads CONFIG without PyYAML, and calls `warn` instead of printing Numba's warnings."""

    def __init__(self, name: str, file: str, warn: Callable[[str], None]) -> None:
        super().__init__(name, file)
        self.warn = warn

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module."""
        with (
            _unprintable_hidden() as hidden,
            _yaml_hidden(),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")  # PYTHONWARNINGS may make them errors
            super().exec_module(module)
        _keep_settings(module)
        texts = [str(each.message) for each in caught]
        bad = [text.split("'")[1] for text in texts if text.startswith(_BEGINNING)]
        if module.NUMBA_NUM_THREADS < 1:  # Numba would raise an error for it later
            module.__dict__[THREADS] = module.NUMBA_DEFAULT_NUM_THREADS
            bad.append(THREADS)
        for name in dict.fromkeys([*hidden, *bad]):
            self.warn(name)


def _keep_settings(module: ModuleType) -> None:
    """Prevent Numba from reading its settings file or its variables again.

    Otherwise, whenever Numba compiles, it looks for the file, and it reads all variables if one has
    changed.
    """
    module.__dict__["_config_fname"] = ""
    variables = {name: os.environ[name] for name in os.environ if name.startswith(PREFIX)}
    module.__dict__["_env_reloader"].old_environ = variables


@contextmanager
def _unprintable_hidden() -> Iterator[list[str]]:
    """During the block, remove Numba's variables with unprintable values; yield their names.

    LLVM prints the name of an unknown processor (NUMBA_CPU_NAME) without escaping it.
    """
    names = [name for name in os.environ if name.startswith(PREFIX) and name.isprintable()]
    hidden = {name: os.environ[name] for name in names if not os.environ[name].isprintable()}
    hidden.pop("NUMBA_CACHE_DIR", None)  # a path, which may have any bytes
    for name in hidden:
        del os.environ[name]
    try:
        yield [*hidden]
    finally:
        os.environ.update(hidden)


@contextmanager
def _yaml_hidden() -> Iterator[None]:
    """Make `import yaml` fail during the block."""
    modules: dict[str, Any] = sys.modules
    loaded = {"yaml": modules["yaml"]} if "yaml" in modules else {}
    modules["yaml"] = None
    try:
        yield
    finally:
        del modules["yaml"]
        modules.update(loaded)
