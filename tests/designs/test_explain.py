"""One-line messages for errors in the code of a design file."""

from pathlib import Path

import pytest
from numba.core.errors import TypingError

from allocsim import Heap
from allocsim.core.jit import PURE
from allocsim.designs.explain import explain
from tests.cli.running import process
from tests.designs.outside import write_design

NUMBA = """Failed in nopython mode pipeline (step: nopython frontend)
No implementation of function Function(<function operation.<locals>.call>) found for signature:
 >>> free(Slots(...))
    TypingError: Failed in nopython mode pipeline (step: nopython frontend)
  {reason}
  During: typing of call at {path} (52)
"""


@pytest.fixture
def slots(tmp_path: Path) -> str:
    """The path of a loaded design."""
    path = write_design(tmp_path)
    Heap(path, reserve=1 << 20).close()
    return path


def test_error_in_python_code_names_file_and_line(tmp_path: Path) -> None:
    path = write_design(tmp_path, ("table(System, 1)", "tabel(System, 1)"))
    with pytest.raises(NameError) as raised:
        Heap(path)
    assert explain(raised.value) == f"{path}, line 25: NameError: name 'tabel' is not defined"


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("NameError: name 'x' is not defined", "NameError: name 'x' is not defined"),
        (
            " No implementation of function g found for signature:",
            "No implementation of function g",
        ),
    ],
)
def test_message_of_numba_becomes_its_reason(slots: str, reason: str, shown: str) -> None:
    message = explain(TypingError(NUMBA.format(reason=reason, path=slots)))
    assert message is not None
    assert message.startswith(f"{slots}, line 52: a kernel does not compile: {shown}; with NUMBA")


def test_other_error_has_no_message(slots: str) -> None:
    assert explain(ValueError("no")) is None


@pytest.mark.slow
def test_command_prints_one_line_for_a_broken_kernel(tmp_path: Path) -> None:
    path = write_design(tmp_path, ("heap.live[0] -= 1", "heap.alive[0] -= 1"))
    ended = process("random", "--ops", "99", "--design", path)
    assert ended.status == 2
    where = f"{path}, line 48: AttributeError" if PURE else f"{path}, line 48: a kernel does not"
    assert f"allocsim: error: {where}" in ended.err
