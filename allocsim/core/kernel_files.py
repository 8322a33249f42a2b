"""Files of compiled kernels, one for each kernel and signature.

The name of a file contains a digest of all source code that its machine code depends on: the
kernel's module and everything that the module imports. The state of a design or library is a
NamedTuple. If the signature contains such a type, the digest also covers the module that declares
the type and the modules of the kernels that implement operations for it. An edit therefore
recompiles only the kernels that it may change. An outdated file is deleted when its successor is
saved.

If a file cannot be read or written, the kernel is compiled again; nothing else happens.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, NullCache, _Cache
from numba.core.serialize import dumps
from numba.core.types.containers import BaseTuple

from allocsim.core import compile_notice
from allocsim.core.heap_pointer import HeapPointer
from allocsim.core.import_closure import ImportClosure
from allocsim.core.kernel_cache import replace_file

DIGEST_BYTES = 32
"""Length in bytes of the SHA-256 digest at the end of a file. Numba does not check what it loads:
machine code with a flipped bit would run. A file whose digest does not match counts as missing."""

REPLAY, RUN = "allocsim.driver.replay", "allocsim.driver_records"
"""REPLAY is the replay loop, which is saved after all the kernels that it calls. RUN is the
module that declares the loop's second argument, the tables of a replay."""

Answering = Callable[[type], Iterable[str]]
"""A function that returns the modules of the kernels that implement operations for a state type."""


class KernelFiles(_Cache):
    """The files of one kernel, with the interface that Numba's dispatcher expects of a cache.

    A file is looked up in all of `directories`, and saved in the first.
    """

    def __init__(
        self,
        function: Any,
        directories: Sequence[Path],
        closure: ImportClosure,
        answering: Answering,
    ) -> None:
        self._function = function
        self._directory, *self._only_read = directories
        self._closure = closure
        self._answering = answering

    @property
    def cache_path(self) -> str:
        """The directory of new files."""
        return str(self._directory)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the kernel compiled for `sig`, or None if it has to be compiled.

        Numba's own method first calls `refresh`, which loads everything that compiling needs
        (0.3 s). Machine code needs `refresh` only for Numba's memory allocator, which no kernel of
        the package uses.
        """
        for pickled in self._saved(sig, target_context):
            with contextlib.suppress(Exception):
                allocates, payload = pickle.loads(pickled)
                if allocates:
                    target_context.refresh()
                return CompileResultCacheImpl.rebuild(None, target_context, payload)
        # `announce` says how long compiling will take. It estimates the time from the name of a
        # module. A kernel whose signature contains a state is compiled together with the other
        # kernels of the state's design or library. Those take most of the time, so the state's
        # module is passed. The kernels of `benchmark` are small, so their own module is passed.
        module = self._function.__module__
        measures = module.startswith("allocsim.benchmark.")
        states = self._state_modules(sig)
        if measures or not states:
            compile_notice.announce(module)
        else:
            compile_notice.announce(states[0], self._has_replay(states))
        return None

    def _saved(self, sig: Any, target_context: Any) -> Iterator[bytes]:
        """Yield the undamaged contents of the files for a signature, without their digests."""
        with contextlib.suppress(Exception):
            file = self._file(sig, target_context.codegen())
            for directory in (self._directory, *self._only_read):
                with contextlib.suppress(OSError):
                    content = (directory / file.name).read_bytes()
                    pickled = content[:-DIGEST_BYTES]
                    if hashlib.sha256(pickled).digest() == content[-DIGEST_BYTES:]:
                        yield pickled

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save a kernel if it can be cached, and delete the files that it replaces."""
        with contextlib.suppress(Exception):
            # Dynamic globals are addresses, such as ctypes pointers: valid in this process only.
            if data.library.has_dynamic_globals or any(not each.can_cache for each in data.lifted):
                return
            file = self._file(sig, data.codegen)
            allocates = any(each.startswith("NRT_") for each in _declared(data.library))
            pickled = dumps((allocates, CompileResultCacheImpl.reduce(None, data)))
            replace_file(file, pickled + hashlib.sha256(pickled).digest())
            self._delete_outdated(file)

    def flush(self) -> None:
        """Do nothing: there is no index, and files are replaced as a whole."""

    def enable(self) -> None:
        """Do nothing: the cache is always on."""

    def disable(self) -> None:
        """Do nothing: see `enable`."""

    def _file(self, sig: Any, codegen: Any) -> Path:
        """Return the file for a signature.

        The file's name consists of the kernel's name and three digests: of the modules of the state
        types, of the sources, and of everything else that determines the machine code.
        """
        states = self._state_modules(sig)
        sources = self._closure.digest([self._function.__module__, *states])
        cells = [cell.cell_contents for cell in self._function.__closure__ or ()]
        rest = (
            sig,
            [(state.__module__, state.__qualname__) for state in state_types(sig)],
            codegen.magic_tuple(),  # the processor
            self._function.__code__.co_code,
            dumps(cells) if cells else b"",
        )
        name = f"{self._function.__module__}.{self._function.__qualname__}"
        parts = (name.replace("<locals>", "locals"), _short(states), _short(sources), _short(rest))
        return self._directory / ("-".join(parts) + ".nbc")

    def _state_modules(self, sig: Any) -> list[str]:
        """Return the modules of a signature's state types, and of the kernels for these types."""
        modules: dict[str, None] = {}
        for state in state_types(sig):
            modules |= dict.fromkeys([state.__module__, *sorted(self._answering(state))])
        return list(modules)

    def _has_replay(self, states: list[str]) -> bool:
        """Return whether the replay loop is cached for a state, given its `_state_modules`."""
        with contextlib.suppress(Exception):
            modules = list(dict.fromkeys([*states, RUN]))
            sources = self._closure.digest([REPLAY.rpartition(".")[0], *modules])
            pattern = f"{REPLAY}-{_short(modules)}-{_short(sources)}-*.nbc"
            directories = (self._directory, *self._only_read)
            return any(True for directory in directories for _ in directory.glob(pattern))
        return False

    def _delete_outdated(self, file: Path) -> None:
        """Delete the files that `file` replaces.

        They have the same kernel and states, and another digest of the sources.
        """
        kernel, states, sources, _ = file.stem.rsplit("-", 3)
        for other in self._directory.glob(f"{kernel}-{states}-*.nbc"):
            if other.stem.rsplit("-", 2)[1] != sources:
                other.unlink(missing_ok=True)


def state_types(sig: Any) -> Iterator[type]:
    """Yield the NamedTuple classes in a signature, including those in fields of NamedTuples."""
    for kind in sig:
        each = kind.state if isinstance(kind, HeapPointer) else kind
        if isinstance(each, BaseTuple):
            if hasattr(each, "instance_class"):
                yield each.instance_class
            yield from state_types(each.types)


def kernel_files(
    function: Any, directories: Sequence[Path], closure: ImportClosure, answering: Answering
) -> Any:
    """Return the cache of the kernel `function`; without a directory, it stores nothing."""
    if not directories:
        return NullCache()
    return KernelFiles(function, directories, closure, answering)


def _declared(library: Any) -> Iterator[str]:
    """Yield the names of the functions that a library declares but does not define."""
    for function in library._final_module.functions:
        if function.is_declaration:
            yield function.name


def _short(content: object) -> str:
    """Return twelve hex digits of a digest of the repr of `content`."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]
