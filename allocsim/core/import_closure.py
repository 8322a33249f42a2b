"""Digests of source code, which tell whether the code that a kernel depends on has changed.

A kernel depends on the import closure of its module: the module itself and every module that it
imports, directly or not. All import statements count, including those in functions, so the result
does not depend on what a process happens to have loaded. `from package import name` adds to the
closure the package and, if there is such a module, `package.name`. `import package.name` adds the
module without its package.

A module's digest is computed from its syntax tree, without docstrings and without code that only
type checkers read, so editing a comment changes no digest.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import site
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from allocsim.core.kernel_cache import replace_file


class Source(NamedTuple):
    """Digest and imports of a source file."""

    digest: str
    imports: list[str]
    """Absolute names that the file imports. `from a import b` gives both a and a.b, although a.b
    may not be a module."""


class UnknownSource(Exception):
    """The source of a module cannot be read, or was changed after this process began."""


def process_start() -> int:
    """Return when this process began: nanoseconds since the epoch, rounded up to a clock tick."""
    try:
        # The name in parentheses may contain blanks. The 20th field after it is the start.
        after_name = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        ticks = int(after_name[19])  # from boot to the start of the process
        running = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        return int((time.time() - running + 0.01) * 1e9)
    except (OSError, ValueError, IndexError):
        return time.time_ns()


STARTED = process_start()
"""When this process began. A file changed later may differ from what was imported, so its kernels
are not cached."""

INSTALLED = tuple(
    path + os.sep
    for path in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        site.getusersitepackages(),
    }
)
"""Directories of installed packages. An import of an installed package is followed only if the
importer belongs to the same package. A change of the version of Numba or NumPy is found in another
way (see `kernel_cache.environment_key`)."""

PACKAGE = Path(__file__).parents[1]
"""Directory of the package allocsim."""


class ImportClosure:
    """Import closures of the modules in `package`, and of loaded modules that import from it.

    The file `memo` keeps the Source of each parsed file, with the file's times and size. For files
    that have not changed, a later process only calls stat.
    """

    def __init__(
        self, memo: Path | None = None, package: Path = PACKAGE, started: int = STARTED
    ) -> None:
        self._memo = memo
        self._root = str(package.parent)
        self._name = package.name
        self._started = started
        self._entries: dict[str, list[Any]] | None = None
        self._changed = False
        self._sources: dict[str, Source] = {}
        self._listings: dict[str, frozenset[str]] = {}
        self._closures: dict[str, frozenset[str]] = {}

    def digest(self, modules: Iterable[str]) -> str:
        """Return a hex digest of the modules' closures.

        Raises UnknownSource if the source of a module cannot be read, or was changed.
        """
        names = frozenset().union(*(self.closure(module) for module in modules))
        state = hashlib.sha256()
        for name in sorted(names):
            state.update(f"{name} {self._sources[name].digest}\n".encode())
        self._save()
        return state.hexdigest()

    def closure(self, module: str) -> frozenset[str]:
        """Return the names of `module` and of all modules that it imports, directly or not."""
        if module not in self._closures:
            reached: set[str] = set()
            unvisited = [module]
            while unvisited:
                name = unvisited.pop()
                if name not in reached:
                    reached.add(name)
                    unvisited += [
                        each for each in self._source(name).imports if self._file(each, name)
                    ]
            self._closures[module] = frozenset(reached)
        return self._closures[module]

    def _source(self, module: str) -> Source:
        """Return the Source of a module, read once per process."""
        if module not in self._sources:
            file = self._file(module, module)
            if file is None:
                raise UnknownSource(module)
            self._sources[module] = self._read(module, file)
        return self._sources[module]

    def _file(self, module: str, importer: str) -> str | None:
        """Return the source file of `module`, or None if an import by `importer` does not count."""
        if module.split(".")[0] == self._name:
            return self._file_in_package(module)
        if importer.split(".")[0] == self._name:
            return None
        file = getattr(sys.modules.get(module), "__file__", None)
        if file is None or not file.endswith(".py"):
            return None
        # An installed file counts only if it belongs to the importer's own package.
        same = module.split(".")[0] == importer.split(".")[0]
        return file if same or not file.startswith(INSTALLED) else None

    def _file_in_package(self, module: str) -> str | None:
        """Return the file of a module of the package, loaded or not, or None if it has no file."""
        path = f"{self._root}/{module.replace('.', '/')}"
        if self._list(path):
            return f"{path}/__init__.py"
        directory, _, name = path.rpartition("/")
        return f"{path}.py" if f"{name}.py" in self._list(directory) else None

    def _list(self, directory: str) -> frozenset[str]:
        """Return the names of the Python files in a directory; no names if it is not a package."""
        if directory not in self._listings:
            try:
                names = frozenset(filter(_is_source, os.listdir(directory)))  # noqa: PTH208 - fast
            except OSError:
                names = frozenset()
            top = directory == self._root  # the parent of the package, not a package itself
            self._listings[directory] = names if top or "__init__.py" in names else frozenset()
        return self._listings[directory]

    def _read(self, module: str, file: str) -> Source:
        """Return the Source of a file, from the memo if the file has not changed."""
        try:
            status = os.stat(file)  # noqa: PTH116 - pathlib takes twice as long
            # ctime too, because a copied or restored file can have an old mtime.
            if max(status.st_mtime_ns, status.st_ctime_ns) > self._started:
                raise UnknownSource(module)
            stamp = [status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino]
            entry = self._remembered().get(file)
            if entry is not None and entry[:4] == stamp:
                return Source(*entry[4:])
            content = Path(file).read_bytes()
        except OSError as error:
            raise UnknownSource(module) from error
        source = parse(content, module, file.endswith("__init__.py"))
        self._remembered()[file] = [*stamp, *source]
        self._changed = True
        return source

    def _remembered(self) -> dict[str, list[Any]]:
        """Return the entries of the memo by file, or {} if the memo is missing or damaged."""
        if self._entries is None:
            self._entries = {}
            with contextlib.suppress(OSError):
                file = self._memo.read_bytes() if self._memo else b""
                seal, _, content = file.partition(b"\n")
                if seal == _seal(content):
                    self._entries = json.loads(content)
        return self._entries

    def _save(self) -> None:
        """Write the memo if a file was parsed. If this fails, the next process parses again."""
        if self._changed and self._memo is not None:
            self._changed = False
            content = json.dumps(self._entries).encode()
            with contextlib.suppress(OSError):
                replace_file(self._memo, _seal(content) + b"\n" + content)


def _seal(content: bytes) -> bytes:
    """Return a digest that reveals damage to the memo.

    If a damaged memo lacked one import, an outdated kernel could be used.
    """
    return hashlib.sha256(content).hexdigest().encode()


def _is_source(name: str) -> bool:
    """Return whether a file is Python source, by its name."""
    return name.endswith(".py")


def parse(content: bytes, module: str, is_package: bool) -> Source:
    """Return the Source of a file with this content; raise UnknownSource if it is not Python."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        raise UnknownSource(module) from error
    _strip_type_checking(tree)
    imports = sorted(_imports(tree, module, is_package))
    _strip_docstrings(tree)
    return Source(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imports)


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the tree and, at any depth, its statements, exception handlers and cases.

    Expressions are left out: they contain no statements, and make up most of a tree. If the caller
    replaces a block of the node just yielded, the new statements are yielded.
    """
    unvisited: list[ast.AST] = [tree]
    while unvisited:
        node = unvisited.pop()
        yield node
        for name in _BLOCKS:
            unvisited += getattr(node, name, ())


_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The attributes of a statement that are lists of statements, exception handlers or cases."""


def _imports(tree: ast.Module, module: str, is_package: bool) -> set[str]:
    """Return the names that the import statements of the tree may load as modules."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    names: set[str] = set()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            names |= {source} | {f"{source}.{alias.name}" for alias in node.names}
    return names


def _strip_type_checking(tree: ast.Module) -> None:
    """Empty the body of every `if TYPE_CHECKING:`, which is never executed."""
    for node in _statements(tree):
        if isinstance(node, ast.If) and _names_type_checking(node.test):
            node.body = []


def _names_type_checking(test: ast.expr) -> bool:
    """Return whether a condition is `TYPE_CHECKING`."""
    # `unparse` is slow, and most conditions are neither names nor attributes.
    return isinstance(test, ast.Name | ast.Attribute) and ast.unparse(test) in _TYPE_CHECKING


_TYPE_CHECKING = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _strip_docstrings(tree: ast.Module) -> None:
    """Remove every string that is a statement: docstrings, also those below constants."""
    for node in _statements(tree):
        if hasattr(node, "body"):
            node.body = [each for each in node.body if not _is_text(each)]


def _is_text(statement: ast.stmt) -> bool:
    """Return whether a statement is a string and nothing else."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
