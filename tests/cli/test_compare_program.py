"""`allocsim compare -- PROGRAM` records a program, and replays and runs it under each library."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from allocsim.core.jit import PURE
from allocsim.real_runs.comparison import RECORDINGS
from allocsim.recorders.compiler import why_no_compiler
from tests.cli.conftest import Run
from tests.cli.running import ENVIRONMENT, PATIENCE, command, default_signals, has_not_ended

SOURCE = """\
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words)
{
    puts("its output");
    for (int i = 0; i < 100; i++)
        memset(malloc(40000), 1, 40000);
    usleep(300000); /* until its memory has been sampled, on a busy machine too */
    return count > 1 ? atoi(words[1]) : 0;
}
"""

COMES_AND_GOES = """\
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void job_of(size_t bytes) { free(memset(malloc(bytes), 1, bytes)); }
static void *job(void *unused) { job_of(300000); return unused; }
int main(int count, char **words) /* file with a letter for each run; bad runs; large runs */
{
    char runs[100];
    int file = count > 1 ? open(words[1], O_RDWR | O_CREAT | O_APPEND, 0600) : -1;
    int run = file < 0 ? 0 : 1 + read(file, runs, sizeof runs);
    pthread_t thread;
    if (file >= 0 && (write(file, ".", 1) != 1 || strchr(words[2], '0' + run)))
        return 3;
    if (count > 3 && strchr(words[3], '0' + run))
        job_of(50 << 20);
    for (int i = 0; i < 20; i++) {
        pthread_create(&thread, NULL, job, NULL);
        pthread_join(thread, NULL);
    }
    usleep(300000); /* until its memory has been sampled, on a busy machine too */
    return 0;
}
"""

QUICK = "--on lib:glibc --runs 1 --warmup 0"


@pytest.fixture
def program(compiler: str, tmp_path: Path) -> str:
    """A program that allocates 4 MB and exits with the status in its argument."""
    if (reason := why_no_compiler()) is not None:
        pytest.skip(reason)
    path = tmp_path / "allocates"
    options = ["-x", "c", "-O1", "-fno-builtin", "-o", str(path), "-"]
    subprocess.run([compiler, *options], input=SOURCE.encode(), check=True)
    return str(path)


def test_program_is_predicted_and_run(run: Run, program: str) -> None:
    ended = run(f"compare {QUICK} --real-runs 2 --ignore-failure --json -- {program} 3")
    assert ended.status == 0, ended.err
    found = json.loads(ended.out)
    assert found["workload"]["name"] == "allocates"
    assert found["events"] == 101  # 100 calls of malloc, and the buffer of puts
    [row] = found["subjects"]
    assert len(row["real"]["runs"]) == 2
    assert row["real"]["failure"] is None
    assert 0.9 < row["real"]["ratio"] < 1.1
    assert found["program_run"]["recorder"] == "preload"
    assert "its output" not in ended.out + ended.err


def test_program_that_fails_is_an_error(run: Run, program: str) -> None:
    ended = run(f"compare {QUICK} -- {program} 3")
    assert ended.status == 2
    assert "allocates exited with status 3; use --show-output to see why, or --ignore" in ended.err
    assert ended.out == ""


def test_program_that_cannot_be_recorded_is_an_error(
    run: Run, compiler: str, tmp_path: Path
) -> None:
    static = tmp_path / "static"
    options = ["-x", "c", "-static", "-o", str(static), "-"]
    if subprocess.run([compiler, *options], input=SOURCE.encode(), check=False).returncode:
        pytest.skip("programs cannot be linked statically")
    ended = run(f"compare {QUICK} -- {static}")
    assert ended.status == 3
    assert "is statically linked" in ended.err


@pytest.mark.usefixtures("program")  # skips the test if no program can be recorded
def test_ctrl_c_ends_the_program_too(tmp_path: Path) -> None:
    """The program's child has the same process group, and is killed as well."""
    script = "sleep 1000 & echo $$ $! > processes.part; mv processes.part processes; wait"
    parent = subprocess.Popen(
        command("compare", *QUICK.split(), "--", "sh", "-c", script),
        cwd=tmp_path,
        env=ENVIRONMENT | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=default_signals,
    )
    try:
        while not (tmp_path / "processes").exists():
            assert parent.poll() is None
            time.sleep(0.01)
        program, child = (tmp_path / "processes").read_text().split()
        parent.send_signal(signal.SIGINT)
        out, err = parent.communicate(timeout=PATIENCE)
    finally:
        parent.kill()
        parent.wait()
    assert (parent.returncode, out) == (130, b""), err
    assert not Path(f"/proc/{program}").exists()
    while has_not_ended(child):
        time.sleep(0.01)
    assert [*tmp_path.glob("allocsim-*")] == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("compare --", "no program after --"),
        ("compare -- nosuchprogram", "'nosuchprogram': command not found in PATH"),
        ("compare server -- true", "expected either 'server' or a program after --, not both"),
        ("compare --seed 1 -- true", "--seed needs a WORKLOAD or saved results, not a program"),
        ("compare --real-runs 2 server", "--real-runs needs a program after --"),
        ("compare", "expected one WORKLOAD, or A.json B.json; found 0 arguments"),
    ],
)
def test_what_does_not_go_with_a_program_is_an_error(run: Run, line: str, message: str) -> None:
    ended = run(line)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err


@pytest.fixture
def comes_and_goes(compiler: str, program: str, tmp_path: Path) -> str:
    """A program whose threads come and go."""
    path = Path(program).with_name("comes-and-goes")
    options = ["-x", "c", "-O1", "-fno-builtin", "-pthread", "-o", str(path), "-"]
    subprocess.run([compiler, *options], input=COMES_AND_GOES.encode(), check=True)
    return str(path)


@pytest.mark.skipif(PURE, reason="threads are replayed by compiled code only")
@pytest.mark.parametrize("real_runs", [0, 1])
def test_threads_that_come_and_go_are_recorded_several_times(
    run: Run, comes_and_goes: str, real_runs: int
) -> None:
    ended = run(f"compare {QUICK} --real-runs {real_runs} --json -- {comes_and_goes}")
    assert ended.status == 0, ended.err
    [row] = json.loads(ended.out)["subjects"]
    assert len(row["peaks"]) == (RECORDINGS if real_runs else 0)
    assert not real_runs or row["memory"]["peak"] == sorted(row["peaks"])[RECORDINGS // 2]


@pytest.mark.skipif(PURE, reason="threads are replayed by compiled code only")
@pytest.mark.parametrize(("bad_runs", "option"), [("3", "--ignore-failure"), ("34", "")])
def test_later_recordings_that_fail_are_left_out(
    run: Run, comes_and_goes: str, bad_runs: str, option: str, tmp_path: Path
) -> None:
    """Run 1 is the first recording, run 2 the real run, and runs 3 and 4 are later recordings."""
    arguments = f"{tmp_path / 'runs'} {bad_runs}"
    ended = run(f"compare {QUICK} --real-runs 1 --json {option} -- {comes_and_goes} {arguments}")
    assert ended.status == 0, ended.err
    found = json.loads(ended.out)
    [row] = found["subjects"]
    assert len(row["peaks"]) == (2 if bad_runs == "3" else 0)
    assert row["times"]
    assert row["real"]["runs"]
    failed = [text for text in found["warnings"] if text.startswith("recording ")]
    assert failed[0] == (
        "recording 2 of 3 failed: comes-and-goes exited with status 3, unlike in the first "
        "recording."
    )
    assert len(failed) == len(bad_runs)


@pytest.mark.skipif(PURE, reason="threads are replayed by compiled code only")
def test_failure_of_every_row_in_a_later_recording_is_reported_and_exits_with_3(
    run: Run, comes_and_goes: str, tmp_path: Path
) -> None:
    program = f"{comes_and_goes} {tmp_path / 'runs'} - 3"
    ended = run(f"compare {QUICK} --limit 30MiB --real-runs 1 --json -- {program}")
    assert ended.status == 3
    assert "every allocator failed at least once; the report has the reasons" in ended.err
    [row] = json.loads(ended.out)["subjects"]
    assert row["failure"].startswith("exceeded the limit")
    assert row["failure"].endswith("(in 1 of 3 recordings)")
    assert len(row["peaks"]) == 2
