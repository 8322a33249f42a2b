"""The files for contributors and for a public host: their links, lengths and lists."""

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PAGES = [REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "SECURITY.md"]
PAGES += sorted((REPOSITORY / "docs").glob("*.md"))
WORKFLOW = (REPOSITORY / ".github" / "workflows" / "test.yml").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_scripts_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    scripts = re.findall(r"scripts/[a-z-]+", text)
    assert [each for each in linked if not (page.parent / each).exists()] == []
    assert [each for each in scripts if not (REPOSITORY / each).exists()] == []


def test_contributing_is_short() -> None:
    assert len((REPOSITORY / "CONTRIBUTING.md").read_text("utf-8").splitlines()) <= 90


def test_packages_in_contributing_exist() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    table = text[text.index("| package or module") : text.index("\n## Kernels")]
    names = re.findall(r"`(\w+)/?`", "".join(re.findall(r"^\| (.+?) \|", table, re.MULTILINE)))
    package = REPOSITORY / "allocsim"
    missing = [n for n in names if not ((package / n).is_dir() or (package / f"{n}.py").is_file())]
    assert not missing


def test_workflow_installs_what_ci_installs() -> None:
    def packages(text: str) -> list[str]:
        """The arguments of install-packages."""
        found = re.search(r"install-packages((?:[ \\\n]+[a-z][a-z0-9.-]*(?![\w/:]))+)", text)
        assert found
        return found[1].replace("\\", " ").split()

    ci = packages((REPOSITORY / ".ci" / "run").read_text("utf-8"))
    assert len(ci) > 5
    assert packages(WORKFLOW) == ci


def test_workflow_runs_the_scripts() -> None:
    for script in ("scripts/test --quick", "scripts/test\n", "scripts/check-wheel"):
        assert f"- run: {script}" in WORKFLOW + "\n"
