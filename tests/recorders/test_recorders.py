"""The choice of a recorder, and the error if no recorder can record a program."""

from dataclasses import replace
from pathlib import Path

import pytest

from allocsim.errors import EnvironmentLacks, UnknownName
from allocsim.recorders import RECORDERS, heaptrack, lttng, mtrace, usable_recorders
from tests.recorders.fakes import REQUEST, fake, install


def test_order_is_that_of_preference() -> None:
    assert [one.name for one in RECORDERS] == ["preload", "lttng", "heaptrack", "mtrace", "memray"]


def test_option_offers_every_recorder() -> None:
    from allocsim.cli.record import command

    (option,) = [option for option in command.params if option.name == "wanted"]
    assert [*option.type.choices] == [one.name for one in RECORDERS]  # type: ignore[attr-defined]


def test_recorders_that_lack_something_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, fake("a", "not installed"), fake("b"), fake("c"))
    assert [one.name for one in usable_recorders(REQUEST, None)] == ["b", "c"]
    assert [one.name for one in usable_recorders(REQUEST, "c")] == ["c"]


def test_recorder_of_python_lines_is_preferred_for_call_sites(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_python = fake("python", records_sites=True, sees_python_objects=True)
    callers = fake("callers", records_sites=True, has_callers_only=True)
    install(monkeypatch, callers, fake("lines", records_sites=True), of_python)
    names = ["callers", "lines", "python"]
    assert [one.name for one in usable_recorders(REQUEST, None)] == names
    sited = replace(REQUEST, sites=True)
    assert [one.name for one in usable_recorders(sited, None)] == names[::-1]


def test_error_names_the_recommended_package_and_every_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, fake("a", "a is missing"), fake("b", "b is missing"))
    message = (
        r"no installed recorder can record 'prog'; recommended: apt install a "
        r"\(a: a is missing; b: b is missing\)"
    )
    with pytest.raises(EnvironmentLacks, match=message):
        usable_recorders(REQUEST, None)
    with pytest.raises(EnvironmentLacks, match="b cannot record prog: b is missing"):
        usable_recorders(REQUEST, "b")


def test_unknown_recorder_is_an_error() -> None:
    with pytest.raises(UnknownName, match="unknown recorder 'gdb'"):
        usable_recorders(REQUEST, "gdb")


@pytest.mark.parametrize("module", [lttng, heaptrack, mtrace])
def test_reason_names_the_package(monkeypatch: pytest.MonkeyPatch, module: object) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(Path, "is_file", lambda _: False)
    reason = module.missing(REQUEST)  # type: ignore[attr-defined]
    assert reason is not None
    assert reason.endswith(module.INSTALL)  # type: ignore[attr-defined]
