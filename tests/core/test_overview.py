"""The overview of the core names only modules that exist."""

import re
from pathlib import Path

from allocsim import core


def test_overview_names_only_modules_that_exist() -> None:
    modules = {path.stem for path in Path(core.__path__[0]).glob("*.py")}
    described = set(re.findall(r"^  (\w+)  ", core.__doc__ or "", re.MULTILINE))
    assert "records" in described
    assert described <= modules
