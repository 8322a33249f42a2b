"""A program under each library: figures only if the library served the program."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from allocsim.benchmark.figures import Row
from allocsim.errors import EnvironmentLacks
from allocsim.libraries.find import find_library
from allocsim.program_run import ProgramRun
from allocsim.real_runs import under_library
from allocsim.real_runs.under_library import (
    NotServed,
    RealConditions,
    run_under,
    run_under_libraries,
)
from allocsim.recorders.program import Outcome, find_program
from allocsim.recorders.quiet_run import QuietRuns
from tests.test_program_run import program_run

LIVE = 200 * 20000

Conditions = Callable[..., RealConditions]


@pytest.fixture
def jemalloc() -> str:
    """A library that can be preloaded."""
    if find_library("jemalloc") is None:
        pytest.skip("jemalloc is not installed")
    return "jemalloc"


def test_libc_serves_the_program_without_a_preload(program: str, conditions: Conditions) -> None:
    run = run_under(find_program([program]), "glibc", conditions())
    assert LIVE < run.malloc_peak < 1.2 * LIVE
    assert Path(run.malloc or "").name == "libc.so.6"


def test_preloaded_library_serves_the_program(
    program: str, jemalloc: str, conditions: Conditions
) -> None:
    run = run_under(find_program([program]), jemalloc, conditions())
    assert run.malloc_peak > LIVE
    assert Path(run.malloc or "").name.startswith("libjemalloc")


def test_library_that_did_not_serve_the_program_has_no_figures(
    program: str, jemalloc: str, conditions: Conditions
) -> None:
    without = find_program(["env", "-u", "LD_PRELOAD", program])
    with pytest.raises(NotServed, match=r"env was served by .*libc.so.6, although .* preloaded"):
        run_under(without, jemalloc, conditions())


@pytest.mark.parametrize("shown", [None, "/bin/sh"])
@pytest.mark.parametrize(("unseen", "runs"), [(0, 1), (2, 3), (3, 3)])
def test_run_whose_samples_do_not_show_the_library_is_repeated(
    unseen: int,
    runs: int,
    shown: str | None,
    program: str,
    conditions: Conditions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, run = list[Outcome](), QuietRuns.run

    def measured(quiet: QuietRuns, *arguments: Any) -> Outcome:
        """Run the program; the samples of the first runs do not show its malloc."""
        made.append(run(quiet, *arguments))
        assert made[-1].run is not None
        late = made[-1]._replace(run=replace(made[-1].run, malloc=shown))
        return late if len(made) <= unseen else made[-1]

    monkeypatch.setattr(QuietRuns, "run", measured)
    if unseen < 3:
        assert run_under(find_program([program]), "glibc", conditions()).malloc is not None
    else:
        with pytest.raises(NotServed, match=r"served by (an unknown malloc|/bin/sh)"):
            run_under(find_program([program]), "glibc", conditions())
    assert len(made) == runs


def test_linked_program_is_not_run_under_another_library(
    linked_program: Path, conditions: Conditions
) -> None:
    with pytest.raises(NotServed, match=r"linked is linked to libown.so, and was not run"):
        run_under(find_program([str(linked_program)]), "glibc", conditions())


def test_program_that_ends_otherwise_than_recorded_has_no_figures(
    program: str, conditions: Conditions
) -> None:
    failing = find_program([program, "3"])
    with pytest.raises(NotServed, match="allocates exited with status 3 under this library"):
        run_under(failing, "glibc", conditions())
    assert run_under(failing, "glibc", conditions(status=3)).malloc_peak > LIVE


def test_library_is_left_out_after_its_first_failure(
    monkeypatch: pytest.MonkeyPatch, conditions: Conditions
) -> None:
    """The libraries take turns, and a design is never asked to serve a program."""
    ran = []

    def run(_: object, library: str, __: object) -> ProgramRun:
        """Note the library; fail for the second run of mimalloc."""
        ran.append(library)
        if library == "mimalloc" and len(ran) > 2:
            raise EnvironmentLacks("no")
        return program_run()

    monkeypatch.setattr(under_library, "run_under", run)
    rows = [Row(subject=name) for name in ("go2008", "lib:glibc", "lib:mimalloc")]
    shown: list[tuple[str, str]] = []
    program = find_program(["true"])
    run_under_libraries(program, rows, conditions(3), lambda *what: shown.append(what))
    assert ran == ["glibc", "mimalloc", "glibc", "mimalloc", "glibc"]
    assert shown[0] == ("lib:glibc", "real run")
    design, glibc, mimalloc = (row.real for row in rows)
    assert design is None
    assert glibc is not None
    assert mimalloc is not None
    assert (len(glibc.runs), glibc.failure) == (3, None)
    assert (len(mimalloc.runs), mimalloc.failure) == (1, "no")
