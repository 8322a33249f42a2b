"""Text from files is shown as plain text: no markup, no escape sequences, no forged lines."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import allocsim
from allocsim.reports.screen import Screen, simple_table, styled

PACKAGE = Path(allocsim.__file__).parent
MAY_IMPORT_RICH = {
    "reports/screen.py",
    *(f"cli/{name}.py" for name in ("live_view", "progress", "sweep_progress", "tune_progress")),
}
"""The modules in which text becomes output of Rich."""

HOSTILE = ("[link=http://a.example/]x[/link]", "[/x]", "[red]r[/]", ":smile:", "a\x1b[31mb", "a\nb")


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_only_the_screen_the_bars_and_the_live_view_use_rich() -> None:
    using = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(name.partition(".")[0] == "rich" for name in imports(path))
    }
    assert using == MAY_IMPORT_RICH


@pytest.mark.parametrize("module", sorted(MAY_IMPORT_RICH))
def test_no_console_reads_markup(module: str) -> None:
    tree = ast.parse((PACKAGE / module).read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    consoles = [call for call in calls if ast.unparse(call.func) == "Console"]
    columns = [call for call in calls if ast.unparse(call.func) == "TextColumn"]
    assert bool(consoles) == (module == "reports/screen.py")  # the others use plain_console
    for call in (*consoles, *columns):
        given = {option.arg: ast.unparse(option.value) for option in call.keywords}
        assert given["markup"] == "False", ast.unparse(call)
    for call in calls:
        if ast.unparse(call.func) == "Text":
            assert ast.unparse(call.args[0]).startswith("printable("), ast.unparse(call)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    table = simple_table()
    table.add_column(text)
    table.add_row(text)
    for item in (text, styled(text), table):
        Screen().print(item)
    out = capsys.readouterr().out
    shown = text.replace("\x1b", "\\x1b").replace("\n", "\\n")
    assert out.count(shown) == 4
    assert "\x1b]" not in out  # no link
    assert "\x1b[31" not in out  # no colour
