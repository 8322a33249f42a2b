"""`allocsim trace` chooses the format and the process of a recording as `replay` does."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run, info, require_way_to_read


@pytest.mark.parametrize(
    "line",
    [
        "info {} --json",
        "check {}",
        "convert {} out.allocsim",
        "cut {} out.allocsim",
        "sample {} out.allocsim --keep 1",
    ],
)
def test_format_and_process_are_chosen_as_for_replay(run: Run, two: Path, line: str) -> None:
    notes = []
    for options in ("", " --process 2"):
        ended = run(f"trace {line.format('two.txt')} --format logalloc{options}")
        assert ended.status == 0, ended.err
        notes.append(ended.err)
        if "out.allocsim" in line:
            assert info(run, "out.allocsim")["events"] == (2 if options else 1)
            Path("out.allocsim").unlink()
    assert "using process 1 only" in notes[0]
    assert "using process 2 only" in notes[1]
    require_way_to_read(run, f"trace {line}")


@pytest.mark.parametrize("option", ["--process 5", "--format aosp"])
def test_our_own_file_leaves_no_choice_of_process_or_format(
    run: Run, text: Path, option: str
) -> None:
    assert run("trace convert mine.txt mine.allocsim").status == 0
    ended = run(f"trace info mine.allocsim {option}")
    assert ended.status == 2
    assert "this is an allocsim trace, which has the calls of one process only; omit" in ended.err


def test_own_format_is_accepted_for_a_file_of_it_and_refused_for_another(
    run: Run, text: Path
) -> None:
    assert run("trace convert mine.txt mine.allocsim").status == 0
    ended = run("trace info mine.allocsim --json --format allocsim")
    assert (ended.status, ended.err) == (0, "")
    ended = run("trace info mine.txt --format allocsim")
    assert ended.status == 2
    assert "mine.txt: not an allocsim trace; omit --format to detect its format" in ended.err
    assert "did you mean 'allocsim'" in run("trace info mine.txt --format allocsm").err
