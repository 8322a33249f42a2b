"""The README shows what the program prints, and its examples run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from allocsim.core.jit import PURE
from tests import readme_examples

README = Path(__file__).parents[1] / "README.md"
WIDTH = 132
"""Columns of the output that README shows in `console` blocks."""

CONSOLE = re.findall(r"```console\n\$ (.*?)\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
EXAMPLES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("allocsim ")
]
TEXT = [
    tuple(part.split("\n", 1))
    for block in re.findall(r"```text\n\$ (.*?)```", README.read_text("utf-8"), re.DOTALL)
    for part in block.split("\n$ ")
]
"""The commands and the shown output of the blocks whose output differs from run to run."""

OWN_FILES = ("mine.txt.gz", "./mine.toml")

MEASURED = [
    (re.compile(r"[\d.,]+ ns/event"), "T ns/event"),
    (re.compile(r"[\d.]+ M events/s in [\d.]+ s"), "R M events/s in T s"),
    (re.compile(r"resident [\d.]+ MiB"), "resident M MiB"),
]
"""Figures that differ between runs: times, and resident bytes under memory pressure."""


def without_measurements(text: str) -> list[str]:
    for pattern, placeholder in MEASURED:
        text = pattern.sub(placeholder, text)
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.mark.skipif(PURE, reason="whole workloads take minutes as plain Python")
@pytest.mark.parametrize(("command", "shown"), CONSOLE, ids=[command for command, _ in CONSOLE])
def test_shown_output_is_what_the_program_prints(command: str, shown: str, tmp_path: Path) -> None:
    assert without_measurements(
        readme_examples.run(command, tmp_path, WIDTH)
    ) == without_measurements(shown)


def test_every_block_is_tested() -> None:
    """A block of YAML has no output."""
    kinds = re.findall(r"^```(\w+)\n", README.read_text("utf-8"), re.MULTILINE)
    assert set(kinds) == {"sh", "console", "text", "yaml", "python"}
    assert kinds.count("console") == len(CONSOLE)
    for (command, _), example in zip(TEXT, readme_examples.EXAMPLES, strict=True):
        assert command.startswith(example.command)


@pytest.mark.slow
@pytest.mark.skipif(PURE, reason="whole workloads take minutes as plain Python")
@pytest.mark.parametrize(
    ("shown", "example"),
    [*zip(TEXT, readme_examples.EXAMPLES, strict=True)],
    ids=[example.command for example in readme_examples.EXAMPLES],
)
def test_shown_lines_have_the_shape_of_what_is_printed(
    shown: tuple[str, ...], example: readme_examples.Example, tmp_path: Path
) -> None:
    example.prepare(tmp_path)
    command = re.sub(r" \| head .*", "", shown[0]).replace(*example.replaced)
    printed = readme_examples.shapes(readme_examples.run(command, tmp_path))
    lines = readme_examples.shapes(shown[1])
    compared = [line for line in lines if not re.match(example.ignored, line)]
    assert compared
    for line in compared:
        assert line in printed, "\n".join([line, "is not in:", *printed])


@pytest.mark.skipif(PURE, reason="whole workloads take minutes as plain Python")
@pytest.mark.parametrize("command", EXAMPLES)
def test_every_example_runs(command: str, tmp_path: Path) -> None:
    words = shlex.split(command, comments=True)
    if any(name in words for name in OWN_FILES):
        (tmp_path / "mine.txt.gz").write_bytes(
            (README.parent / "workloads" / "sqlite-orders.txt.gz").read_bytes()
        )
        (tmp_path / "mine.toml").write_bytes(
            (README.parent / "workloads" / "sizeclass.toml").read_bytes()
        )
    readme_examples.run(command, tmp_path, WIDTH)


def test_parts_of_each_design_sum_to_its_footprint() -> None:
    (rows,) = re.findall(r"\| part \|.*\n\|---.*\n((?:\|.*\n)+)", README.read_text("utf-8"))
    table = [re.findall(r"\d+\.\d|none|in the heap", line) for line in rows.splitlines()]
    columns = zip(*table, strict=True)
    for *parts, footprint in ([float(f) if f[0].isdigit() else 0.0 for f in c] for c in columns):
        # Each figure is rounded to 0.1.
        assert sum(parts) == pytest.approx(footprint, abs=0.05 * (len(parts) + 1))


def test_python_example_prints_what_its_comments_say(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    promised = re.findall(r"print\(.*\)  # ([^:]+):", example)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.split("\n")[:-1] == promised
    assert len(promised) == 2
