"""The guard: whatever a program does with descriptors, the recorder's file stays complete."""

import errno
import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from allocsim.recorders.compiler import why_no_compiler
from allocsim.recorders.guard import (
    OUTPUT,
    SOURCE,
    Page,
    build_guard,
    deep_bind_losses,
    guard_losses,
    guard_variables,
    read_page,
)
from allocsim.recorders.program import Outcome
from tests.recorders.requirements import compiled

RECORDER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static int out;
void __attribute__((constructor)) begin(void) {
    out = open(getenv("ALLOCSIM_OUTPUT"), O_WRONLY | O_CREAT, 0600);
}
void call(void) { write(out, "call\n", 5); }
"""
"""A recorder: a library that opens its file when it is loaded, and writes a line for each call."""

PROGRAM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
void call(void);
int main(int count, char **words) {
    call();
    switch (words[1][0]) {
    case 'l': for (int i = 3; i < 1024; i++) close(i); break;
    case 'r': close_range(3, ~0U, 0); break;
    case 'f': closefrom(3); break;
    case 'd': for (int i = 3; i < 1024; i++) dup2(1, i); closefrom(3); break;
    case 'b': dlopen("libc.so.6", RTLD_NOW | RTLD_DEEPBIND); break;
    case 'x': execl("/bin/true", "true", NULL); break;
    case 'e': call(); _exit(0);
    case 'k': if (!fork()) { call(); exit(0); } wait(NULL); break;
    }
    int own = open("own", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    write(own, "data", 4);
    call();
    return own > 10;
}
"""

ENDED = Outcome(1, 0, 0.1)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[str, Page]]:
    """Run PROGRAM under the guard; return the recorder's output and the guard's counts."""
    library = compiled(tmp_path, "librecorder.so", RECORDER, "-shared", "-fPIC", "-w")
    options = ("-w", str(library), f"-Wl,-rpath,{tmp_path}")
    program = compiled(tmp_path, "program", PROGRAM, *options)
    guard = build_guard(tmp_path, "test")
    environment = {"LD_PRELOAD": f"{guard}"} | guard_variables(tmp_path)

    def call(mode: str, limit: int | None = None) -> tuple[str, Page]:
        def limited() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        subprocess.run(
            [program, mode], env=environment, cwd=tmp_path, check=True, preexec_fn=limited
        )
        return (tmp_path / OUTPUT).read_text(), read_page(tmp_path)

    return call


@pytest.mark.parametrize("mode", ["l", "r", "f", "d"])
def test_program_that_closes_descriptors_loses_no_call_and_keeps_its_file(
    run: Callable[..., tuple[str, Page]], tmp_path: Path, mode: str
) -> None:
    text, page = run(mode)
    assert text == "call\ncall\n"
    assert (tmp_path / "own").read_text() == "data"
    assert page._replace(process=0) == Page(0, 1, 1, 0, 0, 0, 0)
    assert guard_losses(tmp_path, ENDED) == deep_bind_losses(tmp_path) == []


def test_forked_child_does_not_write_into_the_recording(
    run: Callable[..., tuple[str, Page]],
) -> None:
    assert run("k")[0] == "call\ncall\n"


def test_library_opened_with_deep_bind_is_a_loss(
    run: Callable[..., tuple[str, Page]], tmp_path: Path
) -> None:
    run("b")
    (loss,) = deep_bind_losses(tmp_path)
    assert loss.endswith("RTLD_DEEPBIND bypass the recorder (1 dlopen call)")


def test_program_that_is_executed_without_the_guard_is_a_loss(
    run: Callable[..., tuple[str, Page]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If /bin/true did not load the guard, `images` would be 1 and `ended` 0."""
    run("x")
    assert read_page(tmp_path).images == read_page(tmp_path).ended == 2
    page = Page(9, 1, 0, 0, 0, 0, 0)
    monkeypatch.setattr("allocsim.recorders.guard.read_page", lambda _: page)
    (loss,) = guard_losses(tmp_path, ENDED)
    assert loss.startswith("the program executed another program without the recorder")
    assert guard_losses(tmp_path, Outcome(1, 137, 0.1)) == []


def test_end_by_underscore_exit_is_seen(run: Callable[..., tuple[str, Page]]) -> None:
    text, page = run("e")
    assert text == "call\ncall\n"
    assert (page.ended, page.early_exits) == (1, 1)


def test_failed_write_is_a_loss_and_not_the_end_of_the_program(
    run: Callable[..., tuple[str, Page]], tmp_path: Path
) -> None:
    """Without the guard, SIGXFSZ would kill the program."""
    text, page = run("l", limit=7)
    assert (text, page.error, page.lost) == ("call\n", errno.EFBIG, 5)
    (loss,) = guard_losses(tmp_path, ENDED)
    assert loss == (
        f"the recorder could not write its file ({os.strerror(errno.EFBIG)}): the last 5 B of the "
        "recording are lost"
    )


def test_page_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert read_page(tmp_path) == Page(0, 0, 0, 0, 0, 0, 0)
    assert guard_losses(tmp_path, ENDED) == []


@pytest.mark.parametrize("recorder", ["LTTNG", "HEAPTRACK", "MTRACE"])
def test_guard_compiles_without_a_warning(tmp_path: Path, recorder: str) -> None:
    options = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", f"-DFOR_{recorder}")
    compiled(tmp_path, "guard.so", SOURCE.read_text(), *options)


def test_no_guard_is_built_without_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert why_no_compiler()
    assert build_guard(tmp_path, "test") is None
