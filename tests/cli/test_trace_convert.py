"""`allocsim trace convert`: the same trace in another format; existing files are not damaged."""

import gzip
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from allocsim.traces.native.file import is_allocsim_trace
from tests.cli.conftest import File, Run, info
from tests.cli.running import ENVIRONMENT, PATIENCE, command, default_signals, limited, process

FIGURES = ("events", "operations", "threads", "total_bytes", "peak_live", "sizes", "lifetimes",
           "live_at_end", "dropped")  # fmt: skip


def figures(run: Run, name: str) -> dict[str, object]:
    """The figures that are the same in every format."""
    found = info(run, name)
    return {figure: found[figure] for figure in FIGURES}


@pytest.mark.parametrize("name", ["out.allocsim", "out.txt", "out.txt.gz"])
def test_converted_trace_has_the_same_figures(run: Run, text: Path, name: str) -> None:
    ended = run(f"trace convert mine.txt {name}")
    assert (ended.status, ended.out) == (0, "")
    assert re.fullmatch(
        rf"wrote {name}: 6 events, [\d.]+ K?i?B; "
        r"dropped or repaired: free of NULL \(1\), free of unknown \(1\)\n",
        ended.err,
    )
    found, expected = figures(run, name), figures(run, "mine.txt")
    if name != "out.allocsim":  # text has no place for counts of dropped calls
        expected["dropped"] = {}
    assert found == expected


def test_converted_trace_has_the_same_profile(run: Run, text: Path) -> None:
    run("trace convert mine.txt out.allocsim")
    with gzip.open("out.allocsim.gz", "wb") as file:
        file.write(Path("out.allocsim").read_bytes())
    profiles = []
    for name in ("mine.txt", "out.allocsim", "out.allocsim.gz"):
        ended = run(f"replay {name} --json")
        assert ended.status == 0, ended.err
        profile = json.loads(ended.out)
        profiles.append([profile[key] for key in ("at_peak", "at_end", "peak_live", "dropped")])
        profiles[-1][1].pop("resident")
    assert profiles[0] == profiles[1] == profiles[2]


def test_named_format_is_written_whatever_the_suffix(run: Run, text: Path) -> None:
    assert run("trace convert mine.txt out.bin --to allocsim").status == 0
    assert is_allocsim_trace("out.bin")
    assert run("trace convert out.bin out.trace --to aosp").status == 0
    assert Path("out.trace").read_text().startswith("1: malloc 0x10000 100\n")


def test_job_is_converted_under_another_seed(run: Run, file: File) -> None:
    file("my.toml", 'kind = "random"\nops = 50\nslots = 5\nseed = 4\n')
    for seed in (4, 5):
        assert run(f"trace convert my.toml {seed}.allocsim --seed {seed}").status == 0
    assert run("trace convert my.toml same.allocsim").status == 0
    found = [Path(f"{name}.allocsim").read_bytes() for name in ("4", "5", "same")]
    assert found[0] == found[2] != found[1]
    assert info(run, "5.allocsim")["seed"] == 5


def test_existing_file_is_replaced_only_by_force(run: Run, text: Path, file: File) -> None:
    file("out.allocsim", "precious")
    for line in ("convert mine.txt", "cut mine.txt", "sample mine.txt --keep 1/2"):
        ended = run(f"trace {line} out.allocsim")
        assert (ended.status, ended.out) == (2, "")
        assert "'out.allocsim' already exists" in ended.err
        assert "--force" in ended.err
        assert Path("out.allocsim").read_text() == "precious"
    assert run("trace convert mine.txt out.allocsim --force").status == 0
    assert is_allocsim_trace("out.allocsim")


def test_trace_may_be_converted_onto_itself_by_force(run: Run, text: Path) -> None:
    run("trace convert mine.txt out.allocsim")
    before = figures(run, "out.allocsim")
    assert run("trace convert out.allocsim out.allocsim --force").status == 0
    assert figures(run, "out.allocsim") == before


def test_parquet_without_pyarrow_is_3(
    run: Run, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ended = run("trace convert mine.txt out.parquet")
    assert (ended.status, ended.out) == (3, "")
    assert "pip install 'allocsim[parquet]'" in ended.err
    assert not Path("out.parquet").exists()


@pytest.mark.parametrize("name", ["out.allocsim", "out.txt"])
def test_full_disk_is_3_and_leaves_what_was_there(text: Path, name: str) -> None:
    """Files are limited to 8 KiB."""
    directory = text.parent
    (directory / name).write_bytes(b"old")
    text.write_text("".join(f"1: malloc 0x{16 * n:x} 5\n" for n in range(1, 600)))

    line = ("trace", "convert", "mine.txt", name, "--force")
    bare = {n: value for n, value in ENVIRONMENT.items() if not n.startswith("COVERAGE")}
    ended = process(*line, cwd=directory, preexec_fn=limited(resource.RLIMIT_FSIZE, 8192), env=bare)
    assert (ended.status, ended.out) == (3, "")
    assert ended.err == f"allocsim: error: cannot write '{name}': File too large\n"
    assert sorted(path.name for path in directory.iterdir()) == sorted(["mine.txt", name])
    assert (directory / name).read_bytes() == b"old"


def test_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    """Interrupt as soon as the temporary file exists."""
    (tmp_path / "my.toml").write_text('kind = "random"\nops = 1_000_000_000_000\nslots = 5\n')
    child = subprocess.Popen(
        command("trace", "convert", "my.toml", "out.allocsim"),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        preexec_fn=default_signals,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not any(tmp_path.glob(".allocsim-*")):
            assert child.poll() is None
            time.sleep(0.02)
        os.kill(child.pid, signal.SIGINT)
        _, err = child.communicate(timeout=PATIENCE)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 130
    assert re.search(rb"allocsim: error: interrupted.*\n$", err)
    assert [path.name for path in tmp_path.iterdir()] == ["my.toml"]
