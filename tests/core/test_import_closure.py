"""The files that a kernel may depend on, and the edits that change its digest."""

import ast
import importlib
import os
import sys
import time
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from allocsim.core.import_closure import PACKAGE, ImportClosure, UnknownSource, process_start
from tests.conftest import REPOSITORY

FILES = {
    "__init__": "from importlib import import_module\n",
    "kernels": "from toy.constants import STEP\nfrom toy import records\nimport toy.deep.inner\n",
    "constants": "STEP = 1\nif TYPE_CHECKING:\n    from toy.typed import X\n",
    "records": "def dtype():\n    from toy.late import FIELDS\n    return FIELDS\n",
    "late": "FIELDS = ['a']\n",
    "unused": "X = 1\n",
    "typed": "X = 1\n",
    "deep/__init__": "from .inner import Y\n",
    "deep/inner": '"""Text."""\n\nfrom ..relative import Z\nY = Z  # comment\n',
    "relative": "Z = 1\n",
}
"""A package. Its module `kernels` depends on all modules except `unused` and `typed`."""

CLOSURE = {
    *("toy.kernels", "toy", "toy.constants", "toy.records", "toy.late", "toy.deep.inner"),
    "toy.relative",
}

FUTURE = 1 << 62
"""A process start time later than every edit. A file edited after that time would have no
digest."""


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """The package."""
    for name, text in FILES.items():
        file = tmp_path / "toy" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "toy"


def digest(toy: Path, module: str = "toy.kernels") -> str:
    """Return the digest of `module` that a new process computes with the memo of earlier ones."""
    return ImportClosure(toy.parent / "memo", toy, FUTURE).digest([module])


def test_closure_holds_what_any_import_statement_may_load(toy: Path) -> None:
    assert ImportClosure(None, toy, FUTURE).closure("toy.kernels") == CLOSURE


BLOCKS = {
    "else of an if": "if STEP:\n    pass\nelse:\n    {}\n",
    "else of a loop": "for each in STEP:\n    pass\nelse:\n    {}\n",
    "exception handler": "try:\n    pass\nexcept ImportError:\n    {}\n",
    "finally": "try:\n    pass\nfinally:\n    {}\n",
    "case": "match STEP:\n    case 1:\n        {}\n",
    "with": "with STEP:\n    {}\n",
    "method": "class A:\n    def method(self):\n        {}\n",
}
"""Blocks of statements, each with room for a statement."""


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_import_in_a_block_counts(toy: Path, block: str) -> None:
    (toy / "unused.py").write_text(block.format("import toy.late"))
    assert ImportClosure(None, toy, FUTURE).closure("toy.unused") == {"toy.unused", "toy.late"}


EDITS = {
    "constant of another module": ("constants", "STEP = 1", "STEP = 2"),
    "record of a module imported late": ("late", "'a'", "'b'"),
    "module imported by a relative name": ("relative", "1", "3"),
    "own module": ("kernels", "STEP\n", "STEP as S\n"),
    "package that names are imported from": ("__init__", "import_module", "reload"),
}


def wait_for_a_tick(toy: Path) -> None:
    """Wait until the clock of the file system has advanced."""
    file = toy.with_name("clock")
    file.touch()
    before = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == before:
        file.touch()


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_edit_of_the_closure_changes_the_digest(toy: Path, edit: tuple[str, str, str]) -> None:
    name, old, new = edit
    before = digest(toy)
    file = toy / f"{name}.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    assert digest(toy) != before


def test_edit_of_the_same_length_and_time_changes_the_digest(toy: Path) -> None:
    before, file = digest(toy), toy / "constants.py"
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    wait_for_a_tick(toy)
    file.write_text("STEP = 7\n")
    os.utime(file, ns=times)
    assert digest(toy) != before


def test_edits_that_mean_nothing_keep_the_digest(toy: Path) -> None:
    before = digest(toy)
    (toy / "deep" / "inner.py").write_text(
        '"""Other."""\nfrom ..relative import Z\n\n\nY = Z\n"""Y."""\n'
    )
    (toy / "unused.py").write_text("X = 2\n")
    (toy / "deep" / "__init__.py").write_text("Q = 1\n")
    (toy / "another.py").write_text("")
    assert digest(toy) == before


def test_module_that_appears_under_an_imported_name_counts(toy: Path) -> None:
    before = digest(toy)
    (toy / "constants").mkdir()
    (toy / "constants" / "__init__.py").write_text("STEP = 5\n")
    assert digest(toy) != before


def test_renamed_module_has_another_digest(toy: Path) -> None:
    before = digest(toy)
    (toy / "constants.py").rename(toy / "numbers.py")
    (toy / "kernels.py").write_text(FILES["kernels"].replace("constants", "numbers"))
    assert digest(toy) != before


def test_text_moved_between_modules_changes_the_digest(toy: Path) -> None:
    before = digest(toy)
    (toy / "constants.py").write_text("STEP = 1\nZ = 1\n")
    (toy / "relative.py").write_text("")
    assert digest(toy) != before


def test_file_that_is_edited_while_the_process_runs_is_unknown(toy: Path) -> None:
    started = time.time_ns()
    wait_for_a_tick(toy)
    (toy / "late.py").write_text("FIELDS = ['c']\n")
    with pytest.raises(UnknownSource):
        ImportClosure(None, toy, started).digest(["toy.kernels"])
    assert ImportClosure(None, toy, started).digest(["toy.constants"])


@pytest.mark.parametrize("module", ["toy.none", "toy", "elsewhere"])
def test_module_that_cannot_be_read_is_unknown(toy: Path, module: str) -> None:
    (toy / "__init__.py").write_text("not Python at all")
    with pytest.raises(UnknownSource):
        digest(toy, module)


def test_this_process_began_before_now_and_after_this_file() -> None:
    assert Path(__file__).stat().st_ctime_ns < process_start() < time.time_ns() + 10**8


def test_memo_saves_parsing(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(toy)
    monkeypatch.setattr(ast, "parse", lambda _: 1 / 0)
    assert digest(toy) == before


@pytest.mark.parametrize("damage", ["empty", "cut", "no seal", "a lost import"])
def test_damaged_memo_is_replaced(toy: Path, damage: str) -> None:
    before, memo = digest(toy), toy.parent / "memo"
    content = memo.read_bytes()
    damaged = {
        "empty": b"",
        "cut": content[:-2],
        "no seal": content.partition(b"\n")[2],
        "a lost import": content.replace(b'"toy.late"', b'"toy.latE"'),
    }[damage]
    assert damaged != content
    memo.write_bytes(damaged)
    assert digest(toy) == before
    assert memo.read_bytes() == content


def test_memo_that_cannot_be_written_is_ignored(toy: Path) -> None:
    (toy.parent / "memo").mkdir()
    assert digest(toy) == digest(toy)


def test_design_from_outside_is_followed_with_the_modules_next_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "beside_mine.py").write_text("STEP = 1\n")
    (tmp_path / "mine_here.py").write_text(
        "import json\nfrom beside_mine import STEP\nimport allocsim.limits\n"
    )
    importlib.import_module("mine_here")
    closure = ImportClosure(None, PACKAGE, FUTURE)
    assert {"mine_here", "beside_mine", "allocsim.limits"} <= closure.closure("mine_here")
    assert "json" not in closure.closure("mine_here")
    for name in ("mine_here", "beside_mine"):
        sys.modules.pop(name)


def kernels_of(module: ModuleType, tree: ast.Module) -> set[str]:
    """The names that the kernels of a module use."""
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and {"kernel", "intrinsic", "out_of_line"} & {ast.unparse(by) for by in node.decorator_list}
    ]
    return {node.id for each in found for node in ast.walk(each) if isinstance(node, ast.Name)}


@cache
def imports(module: str) -> dict[str, set[str]]:
    """Return the modules from which `module` imports each name."""
    found: dict[str, set[str]] = {}
    tree = ast.parse(Path(str(sys.modules[module].__file__)).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found.setdefault(alias.name, set()).add(str(node.module))
    return found


def homes(module: str, name: str) -> set[str]:
    """Return the modules of the package that may define `name`, which `module` uses."""
    value = getattr(sys.modules[module], name, None)
    if isinstance(value, ModuleType):
        found = {value.__name__}
    else:
        found = {str(getattr(value, "__module__", ""))}
    found |= imports(module).get(name, set())
    return {each for each in found if each.startswith("allocsim.")}


@pytest.mark.slow
def test_every_name_that_a_kernel_uses_comes_from_its_closure() -> None:
    closure, checked = ImportClosure(None, PACKAGE, FUTURE), 0
    for file in sorted(PACKAGE.rglob("*.py")):
        if "core.jit import" not in (text := file.read_text()) or file.name == "memray_child.py":
            continue
        name = ".".join(file.relative_to(REPOSITORY).with_suffix("").parts)
        name = name.removesuffix(".__init__")
        module = importlib.import_module(name)
        for used in kernels_of(module, ast.parse(text)):
            assert homes(name, used) <= closure.closure(name), (name, used)
            checked += 1
    assert checked > 500
