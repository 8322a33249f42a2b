"""The files of compiled kernels, one for each kernel and signature.

The name of a file is a digest of all that its machine code depends on: the kernel's own module with
all that it imports, and for each state type in the signature the module that declares it and those
whose kernels answer operations for it. So no edit is answered by an old kernel, an edit elsewhere
recompiles nothing, and a file that is no longer named is deleted when its successor is saved.

Whatever goes wrong on disk costs a compilation and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, NullCache, _Cache
from numba.core.serialize import dumps
from numba.core.types.containers import BaseTuple

from allocsim.core import compile_notice
from allocsim.core.import_closure import ImportClosure
from allocsim.core.kernel_cache import replace_file

DIGEST_BYTES = 32
"""Bytes of a file's seal. Numba unpickles what it finds, and one flipped bit of machine code would
run; a file whose seal is wrong counts as missing."""

Answering = Callable[[type], Iterable[str]]
"""Gives the modules whose kernels answer operations for a state type."""


class KernelFiles(_Cache):
    """The files of one kernel, as Numba's dispatcher uses a cache."""

    def __init__(
        self, function: Any, directory: Path, closure: ImportClosure, answering: Answering
    ) -> None:
        self._function = function
        self._directory = directory
        self._closure = closure
        self._answering = answering

    @property
    def cache_path(self) -> str:
        """Where the files are."""
        return str(self._directory)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the kernel compiled for `sig`, or None if it has to be compiled.

        Numba would first load everything that compiling needs (0.3 s); machine code needs of that
        only Numba's memory allocator, which no kernel of the package uses.
        """
        with contextlib.suppress(Exception):
            content = self._file(sig, target_context.codegen()).read_bytes()
            pickled = content[:-DIGEST_BYTES]
            if hashlib.sha256(pickled).digest() == content[-DIGEST_BYTES:]:
                allocates, payload = pickle.loads(pickled)
                if allocates:
                    target_context.refresh()
                return CompileResultCacheImpl.rebuild(None, target_context, payload)
        own = self._function.__module__
        measures = own.startswith("allocsim.benchmark.")  # small, whatever is measured
        compile_notice.announce(own if measures else next(iter(self._state_modules(sig)), own))
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save a kernel, if that is possible, and delete the files that it replaces."""
        with contextlib.suppress(Exception):
            if data.library.has_dynamic_globals or any(not each.can_cache for each in data.lifted):
                return
            file = self._file(sig, data.codegen)
            allocates = any(each.startswith("NRT_") for each in _declared(data.library))
            pickled = dumps((allocates, CompileResultCacheImpl.reduce(None, data)))
            replace_file(file, pickled + hashlib.sha256(pickled).digest())
            self._delete_outdated(file)

    def flush(self) -> None:
        """Nothing: there is no index, and files are replaced as a whole."""

    def enable(self) -> None:
        """Nothing: the cache is always on."""

    def disable(self) -> None:
        """Nothing: see `enable`."""

    def _file(self, sig: Any, codegen: Any) -> Path:
        """The file for a signature: kernel, state types, digest of sources, digest of the rest."""
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
        """The modules that declare the state types in a signature or answer operations for them."""
        modules: dict[str, None] = {}
        for state in state_types(sig):
            modules |= dict.fromkeys([state.__module__, *sorted(self._answering(state))])
        return list(modules)

    def _delete_outdated(self, file: Path) -> None:
        """Delete the files of the same kernel and state types that were made of other sources."""
        kernel, states, sources, _ = file.stem.rsplit("-", 3)
        for other in self._directory.glob(f"{kernel}-{states}-*.nbc"):
            if other.stem.rsplit("-", 2)[1] != sources:
                other.unlink(missing_ok=True)


def state_types(sig: Any) -> Iterator[type]:
    """The NamedTuple classes in a signature, those in the fields of others included."""
    for each in sig:
        if isinstance(each, BaseTuple):
            if hasattr(each, "instance_class"):
                yield each.instance_class
            yield from state_types(each.types)


def kernel_files(
    function: Any, directory: Path | None, closure: ImportClosure, answering: Answering
) -> Any:
    """The cache of the kernel `function`: none at all without a directory."""
    if directory is None:
        return NullCache()
    return KernelFiles(function, directory, closure, answering)


def _declared(library: Any) -> Iterator[str]:
    """The names of the functions that the code of a library calls from elsewhere."""
    for function in library._final_module.functions:
        if function.is_declaration:
            yield function.name


def _short(content: object) -> str:
    """Twelve hex digits that tell apart contents by their text."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]
