"""docs/eighteen-years.md: the commands print the output that is shown."""

import re

import pytest

from allocsim.core.jit import PURE
from tests.conftest import REPOSITORY
from tests.equality.verify_tcmalloc import SYSTEMUI
from tests.readme_examples import run
from tests.test_readme import without_measurements

PAGE = (REPOSITORY / "docs" / "eighteen-years.md").read_text("utf-8")
COMMANDS = re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE, re.DOTALL)


def test_every_command_has_its_output() -> None:
    assert len(COMMANDS) == PAGE.count("```console") == 4


@pytest.mark.skipif(PURE, reason="whole workloads take minutes as plain Python")
@pytest.mark.skipif(not SYSTEMUI.exists(), reason="the recording systemui.zip was not found")
@pytest.mark.parametrize(("command", "shown"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_commands_print_what_is_shown(command: str, shown: str) -> None:
    printed = run(command, SYSTEMUI.parent)
    assert without_measurements(printed) == without_measurements(shown)
