"""The README shows what the program prints, and its examples run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from allocsim.core.jit import PURE

README = Path(__file__).parents[1] / "README.md"
SCRIPTS = Path(sys.executable).parent

CONSOLE = re.findall(r"```console\n\$ (.*?)\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
EXAMPLES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("allocsim ")
]
OWN_FILES = ("mine.txt.gz", "./mine.toml")

MEASURED = [
    (re.compile(r"[\d.,]+ ns/event"), "T ns/event"),
    (re.compile(r"[\d.]+ M events/s in [\d.]+ s"), "R M events/s in T s"),
    (re.compile(r"resident [\d.]+ MiB"), "resident M MiB"),
]
"""Figures that differ between runs: times, and resident bytes under memory pressure."""


def run(command: str, place: Path) -> str:
    environment = {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}", "COLUMNS": "132"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_measurements(text: str) -> list[str]:
    for pattern, placeholder in MEASURED:
        text = pattern.sub(placeholder, text)
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.mark.skipif(PURE, reason="whole workloads take minutes as plain Python")
@pytest.mark.parametrize(("command", "shown"), CONSOLE, ids=[command for command, _ in CONSOLE])
def test_shown_output_is_what_the_program_prints(command: str, shown: str, tmp_path: Path) -> None:
    assert without_measurements(run(command, tmp_path)) == without_measurements(shown)


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
    run(command, tmp_path)


def test_python_example_prints_what_its_comments_say(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    promised = re.findall(r"print\(.*\)  # ([^:]+):", example)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.split("\n")[:-1] == promised
    assert len(promised) == 2
