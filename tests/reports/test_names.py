"""Lists of names with descriptions."""

import pytest

from allocsim.reports.names import print_names


def test_names_are_listed_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    meaning = "a long story " * 30 + "[red]not a colour[/red]"
    print_names({"one": meaning, "two": "short"})
    out = capsys.readouterr().out
    assert " ".join(out.split()) == f"one {' '.join(meaning.split())} two short"


@pytest.mark.parametrize(("columns", "next_to"), [(80, True), (40, False)])
def test_description_is_below_a_name_that_is_too_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int, next_to: bool
) -> None:
    name = "a name of thirty characters ok"
    monkeypatch.setenv("COLUMNS", str(columns))
    print_names({name: "what it is, in more words than such a line would hold"})
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0].strip() == name) is not next_to
    words = " ".join(" ".join(lines).split())
    assert words == f"{name} what it is, in more words than such a line would hold"
