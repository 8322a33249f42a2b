"""Files that a command writes: which paths are allowed, and that none replaces an input."""

import json
import os
from errno import ENOSPC
from pathlib import Path

import click
import pytest

from allocsim.cli.output_files import require_writable
from allocsim.errors import EnvironmentLacks
from tests.cli.conftest import TEXT, File, Run

DESIGN = "raise SystemExit('this design is not run')\n"
TABLE = json.dumps({"classes": [{"size": size} for size in (8, 16, 1024, 262144)]})
JOB = 'kind = "empirical"\nfile = "rates.csv"\nheap = "64KiB"\nops = 1000\n'
"""A job with a table, which is a second input of a command that runs the job."""

INPUTS = {
    "x.txt": TEXT,
    "mine.py": DESIGN,
    "table": TABLE,
    "job.toml": JOB,
    "rates.csv": "8, 100.0, 100.0\n64, 10.0, 50.0\n",
    "lib.so": "this is no library",
}


@pytest.fixture
def inputs(file: File) -> dict[str, Path]:
    """An input of each kind in the empty directory, and a link to each."""
    files = {name: file(name, text) for name, text in INPUTS.items()}
    for name, path in files.items():
        path.with_name(f"link-{name}").symlink_to(name)
    return files


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("replay x.txt --export-json ./{}", "x.txt"),
        ("empirical rates.csv --export-markdown {}", "rates.csv"),
        ("compare x.txt --export-csv {}", "x.txt"),
        ("explain job.toml x.txt --html {}", "x.txt"),
        ("explain x.txt --collapsed {}", "x.txt"),
        ("tune x.txt --design tcmalloc --out {}", "x.txt"),
        ("tune job.toml --design tcmalloc --hold-back x.txt --out {}", "x.txt"),
        ("sweep x.txt --on go2008 --export-csv {}", "x.txt"),
        ("sweep x.txt --on go2008 --out {}", "x.txt"),
        ("sweep show x.txt --export-csv {}", "x.txt"),
        ("replay x.txt --design ./mine.py --export-json {}", "mine.py"),
        ("compare x.txt --on go2008,./mine.py:key=1 --export-json {}", "mine.py"),
        ("explain x.txt --on ./mine.py --pprof {}", "mine.py"),
        ("sweep x.txt --on mine.py --export-parquet {}", "mine.py"),
        ("run server --design tcmalloc --set size_classes=table --export-csv {}", "table"),
        ("compare x.txt --on tcmalloc:size_classes=table --export-csv {}", "table"),
        ("sweep x.txt --on go -L size_classes=own,table --out {}", "table"),
        ("sweep x.txt --on go -L go:size_classes=table --export-csv {}", "table"),
        ("tune x.txt --design go --set size_classes=./table --out {}", "table"),
        ("compare x.txt --on lib:$PWD/lib.so:x_ --export-markdown {}", "lib.so"),
        ("explain x.txt --on lib:./lib.so --collapsed {}", "lib.so"),
        ("run job.toml --export-json {}", "job.toml"),
        ("run ./job.toml --export-csv {}", "rates.csv"),
        ("compare job.toml --export-csv {}", "rates.csv"),
        ("compare --export-csv {} -- cat x.txt", "x.txt"),
        ("record -o {} --force -- cat mine.py", "mine.py"),
    ],
)
def test_input_is_no_output(
    run: Run, inputs: dict[str, Path], line: str, name: str, tmp_path: Path
) -> None:
    for output in (name, f"link-{name}"):
        ended = run(line.replace("$PWD", str(tmp_path)).format(output))
        assert ended.status == 2, ended.err
        assert f"{output}' is an input of this command; write to another file" in ended.err
    assert {name: path.read_text() for name, path in inputs.items()} == INPUTS


def test_file_in_a_recording_of_lttng_is_no_output(run: Run, text: Path) -> None:
    """Every file in the directory of the recording's metadata is read as a stream."""
    streams = Path("recording/ust/uid/0/64-bit")
    streams.mkdir(parents=True)
    (streams / "metadata").write_text("/* CTF 1.8 */")
    (streams / "channel0_0").write_text("events")
    for output in ("channel0_0", "new"):
        ended = run(f"replay ./recording --export-json {streams / output}")
        assert ended.status == 2
        assert "is an input of this command" in ended.err
    assert run(f"replay mine.txt --export-json {streams / 'new'}").status == 0
    assert (streams / "channel0_0").read_text() == "events"


def test_recorded_program_is_no_output(run: Run, tmp_path: Path) -> None:
    program = tmp_path / "prog"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for line in ("record --force -o prog -- ./prog", "compare --export-csv prog -- ./prog"):
        ended = run(line)
        assert ended.status == 2
        assert "'prog' is an input of this command" in ended.err
    assert program.read_text() == "#!/bin/sh\n"


def test_other_name_of_an_input_can_be_an_output(run: Run, text: Path) -> None:
    """`other` is a hard link to the input; writing `other` makes a new file and keeps the input."""
    os.link(text, "other")
    assert run("replay mine.txt --design go2008 --export-json other").status == 0
    assert text.read_text() == TEXT
    assert json.loads(Path("other").read_text())["events"] == 6


@pytest.mark.parametrize(("descriptor", "name"), [(0, "input"), (1, "output"), (2, "error")])
def test_file_of_a_standard_stream_is_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, descriptor: int, name: str
) -> None:
    """If the file were replaced, the stream would still use the old file."""
    path = tmp_path / "out"
    path.write_text("old")
    status = path.stat()

    def fstat(number: int) -> os.stat_result:
        if number != descriptor:
            raise OSError
        return status

    monkeypatch.setattr("allocsim.cli.output_files.fstat", fstat)
    with pytest.raises(click.UsageError, match=f"out' is the standard {name} of this command"):
        require_writable([str(path)])
    require_writable(["/dev/null", str(tmp_path / "new")])


def test_link_into_a_directory_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone" / "out")
    with pytest.raises(click.UsageError, match="link': no such directory"):
        require_writable([str(link)])


def test_directory_without_write_permission_is_an_error_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The superuser may write everywhere, so the test makes the check of permissions fail."""
    monkeypatch.setattr("allocsim.cli.output_files.access", lambda *_: False)
    with pytest.raises(EnvironmentLacks, match="no permission to write in its directory"):
        require_writable([str(tmp_path / "out")])
    require_writable(["/dev/null"])


def test_only_a_file_that_is_extended_needs_no_permission_for_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").touch()
    monkeypatch.setattr("allocsim.cli.output_files.access", lambda *_: False)
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    require_writable([old], extended=old)
    for path, extended in ((old, None), (old, new), (new, new)):
        with pytest.raises(EnvironmentLacks, match="no permission to write in its directory"):
            require_writable([path], extended=extended)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("replay mine.txt --design go2008 --export-csv out", "Peak footprint"),
        ("compare mine.txt --on go2008 --runs 1 --export-json out", "go2008"),
        ("explain mine.txt --on go2008 --no-what-if --html out", "footprint"),
        ("sweep show rows.jsonl --export-csv out", "go2008"),
    ],
)
def test_report_is_shown_although_a_file_cannot_be_written(
    run: Run, text: Path, file: File, monkeypatch: pytest.MonkeyPatch, line: str, shown: str
) -> None:
    assert run(f"sweep {text.name} --on go2008 --out rows.jsonl").status == 0
    path = file("out", "old")

    def full(_: int) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    ended = run(line)
    assert ended.status == 3
    assert ended.err.endswith("allocsim: error: cannot write 'out': No space left on device\n")
    assert shown in ended.out
    assert path.read_text() == "old"
    assert not [*Path().glob(".allocsim-*")]


def test_choice_is_no_input(run: Run, inputs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "page").write_text("a file with the name of a choice")
    ended = run("replay x.txt --touch page --export-json page")
    assert ended.status == 0, ended.err
    assert inputs["x.txt"].read_text() == INPUTS["x.txt"]
