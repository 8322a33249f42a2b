"""docs/design-tutorial.md: the code and the commands on this page run as printed."""

import gzip
import re
import shlex
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from allocsim import Heap
from allocsim.cli import cli
from allocsim.core.defaults import DEFAULTS, MANDATORY
from allocsim.core.jit import PURE
from allocsim.designs import find_design
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "design-tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(python(?: test)?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DESIGN = "\n\n".join(code for language, code in BLOCKS if language == "python")
COMMANDS = re.findall(r"^    allocsim (.+)$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with mine.py, and a short workload for pure mode."""
    place = tmp_path_factory.mktemp("tutorial")
    (place / "mine.py").write_text(DESIGN)
    with gzip.open(REPOSITORY / "workloads" / "sqlite-orders.txt.gz", "rt") as recording:
        (place / "short.txt").write_text("".join(islice(recording, 1000)))
    return place


@pytest.fixture(autouse=True)
def in_directory(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs where mine.py is."""
    monkeypatch.chdir(directory)


def lines_of_code(text: str) -> int:
    """Return the number of lines of code, without comments, docstrings and imports."""
    other = re.compile(r'\s*(#.*|""".*"""|(from|import) .*)?')
    return sum(other.fullmatch(line) is None for line in text.splitlines())


def test_design_has_fewer_than_a_hundred_lines() -> None:
    assert 50 < lines_of_code(DESIGN) < 100


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_command_runs_as_printed(command: str) -> None:
    if PURE:
        command = command.replace("sqlite-orders", "short.txt")
    done = CliRunner().invoke(cli, shlex.split(command))
    assert done.exit_code == 0, done.output


def test_tables_list_the_operations() -> None:
    cells = re.findall(r"^\| (`[a-z_`, ()]+) \|", PAGE, re.MULTILINE)
    listed = {name for cell in cells for name in re.findall(r"`(\w+)", cell)}
    assert listed == {each.__name__ for each in (*MANDATORY, *DEFAULTS)}


def test_every_command_that_takes_a_design_is_shown() -> None:
    shown = {command.split()[0] for command in COMMANDS}
    assert {"sizeclass-check", "random", "replay", "compare", "check"} <= shown


def test_corruption_is_reported_as_printed() -> None:
    for code in (code for language, code in BLOCKS if language == "python test"):
        exec(code, {})


@pytest.mark.slow
def test_report_uses_the_words_of_the_design() -> None:
    done = CliRunner().invoke(cli, ["random", "--ops", "300", "--design", "./mine.py"])
    assert "free objects, a list for each power of two" in done.output
    assert "a byte for every 16 of the heap" in done.output
    assert "page map, span records, caches" not in done.output


def test_every_call_of_a_heap_works() -> None:
    with Heap("./mine.py", reserve=1 << 30) as heap:
        address = heap.malloc(100)
        heap.view(address)[:] = bytes(range(100))
        address = heap.realloc(address, 200)
        assert bytes(heap.view(address))[:100] == bytes(range(100))
        cleared = heap.calloc(3, 10)
        assert bytes(heap.view(cleared)) == bytes(30)
        aligned = heap.memalign(1024, 10)
        assert aligned % 1024 == 0
        assert heap.usable_size(aligned) == 1024
        for each in (address, cleared, aligned):
            heap.free(each)
        assert heap.check() == []
        assert heap.profile().live == 0


def test_design_of_the_page_is_complete() -> None:
    design = find_design("./mine.py")
    assert design.name == "bump"
    assert len(design.invariants) == 1
