"""memray's command line: which arguments are Python's own options."""

import pytest

from allocsim.recorders import memray

OPTIONS: dict[str, tuple[str, int | None]] = {
    "script": ("a.py -m x", 0),
    "command": ("-c pass", 0),
    "module": ("-m this", 0),
    "options": ("-I -X dev -W error --check-hash-based-pycs always -u a.py", 8),
    "nothing": ("", None),
    "options only": ("-I", None),
    "standard input": ("- x", None),
    "joined command": ("-Sc pass", None),
    "joined module": ("-mthis", None),
}


@pytest.mark.parametrize(("line", "count"), OPTIONS.values(), ids=OPTIONS)
def test_options_of_python_end_at_the_script(line: str, count: int | None) -> None:
    assert memray._count_options(line.split()) == count
