"""Recorded stacks equal those of libc's backtrace(), with stack frames of all kinds."""

import os
import subprocess
from pathlib import Path

import pytest

from allocsim.traces.preload.lane_files import has_files, window_of
from allocsim.traces.preload.layout import CHUNK
from allocsim.traces.preload.stacks import Kind, Stacks, read_entries
from tests.recorders.preload.running import HERE, Chain, Recorded, calls_of, require_equal

SOURCE = HERE / "stacks.c"


@pytest.fixture(scope="session")
def libraries(compiled: Path) -> list[str]:
    """Two libraries of the same size, which the program loads one after the other."""
    paths = [str(compiled / f"library{number}.so") for number in (1, 2)]
    for path in paths:
        options = ("-O1", "-w", "-shared", "-fPIC", "-o", path)
        subprocess.run(["cc", *options, str(SOURCE)], check=True)
    return paths


def recorded_stacks(
    chain: Chain, place: Path, *options: str, seed: int = 1, more: tuple[str, ...] = ()
) -> Recorded:
    """Return a run of the program, compiled with these options."""
    program = str(place / "stacks")
    subprocess.run(
        ["cc", "-w", *options, "-o", program, str(SOURCE), "-ldl", "-lpthread"], check=True
    )
    return Chain(chain.recorder, None, chain.place)(program, str(seed), *more, sites=True)


def sites_by_size(recorded: Recorded) -> dict[int, set[int]]:
    """Return the numbers of the sites that allocate each size. There is one program image."""
    (image,) = recorded.images
    trace = recorded.trace(image)
    found: dict[int, set[int]] = {}
    for chunk in trace.chunks:
        assert trace.sites is not None
        for event, site in zip(chunk.tolist(), trace.sites.of(chunk).tolist(), strict=True):
            found.setdefault(event[0], set()).add(site)
    return found


@pytest.mark.parametrize(
    "options", ["-O0", "-O2", "-O3 -fomit-frame-pointer", "-O1 -fno-omit-frame-pointer"]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_stacks_equal_those_of_backtrace(
    chain: Chain, tmp_path: Path, libraries: list[str], options: str, seed: int
) -> None:
    recorded = recorded_stacks(chain, tmp_path, *options.split(), seed=seed, more=tuple(libraries))
    (image,) = recorded.images
    stacks = [words.tolist() for kind, words in read_entries(image) if kind == Kind.STACK]
    lines = recorded.out.splitlines()
    assert len(lines) == 2 * 22 + 2
    sites = sites_by_size(recorded)
    for line in lines:
        size, *addresses = line.split()
        (site,) = sites[int(size)]
        assert [int(address, 16) for address in addresses] == stacks[site - 1][1:], line
    assert image.header["siteless"] == 0


def test_places_are_in_the_files_that_were_loaded(
    chain: Chain, tmp_path: Path, libraries: list[str]
) -> None:
    """The second library may be at the addresses of the first one, which has been unloaded."""
    (image,) = recorded_stacks(chain, tmp_path, "-O2", more=tuple(libraries)).images
    paths = {place.path for place in Stacks(image).places}
    assert {*map(os.fsencode, libraries), os.fsencode(tmp_path / "stacks")} <= paths


def test_equal_stacks_have_one_number(chain: Chain, program: str) -> None:
    """The program makes 200 calls in each of 40 threads, from few places."""
    recorded = chain(program, "pool", sites=True)
    (image,) = recorded.images
    trace, _ = require_equal(recorded, image)
    assert calls_of(trace)["malloc"] >= 2000
    assert 2 <= len(Stacks(image).rows) - 1 <= 100


def test_stacks_of_a_forked_child_are_its_own(chain: Chain, program: str) -> None:
    parent, child = chain(program, "forks", sites=True).images
    assert len(Stacks(parent).rows) > 1
    assert len(Stacks(child).rows) == 2, "the unknown stack, and that of the calls in churn()"


def test_signal_handlers_that_allocate_do_not_change_a_stack(chain: Chain, program: str) -> None:
    """The handlers interrupt walks of the stack, and leave some of these walks by longjmp."""
    alone = Chain(chain.recorder, None, chain.place)
    (image,) = alone(program, "storm", "fail", sites=True).images
    stacks = Stacks(image)
    assert image.header["siteless"] == 0
    assert len(stacks.rows) - 1 <= 12, "stacks of the loop, of the handlers and of the rest"


def test_without_the_option_there_are_no_stacks(chain: Chain, program: str) -> None:
    (image,) = chain(program, "kinds").images
    assert not has_files(image.stacks)
    assert Stacks(image).rows == [0]


def test_stacks_that_are_cut_off_or_zero_are_damage(chain: Chain, program: str) -> None:
    """The header says how many stacks there are, so missing entries and zeros are noticed."""
    (image,) = chain(program, "kinds", sites=True).images
    window = window_of(image.stacks)
    content, whole = window.read_bytes(), Stacks(image)
    assert len(whole.rows) == image.header["stacks"] + 1
    window.write_bytes(content[: CHUNK - 8])
    assert Stacks(image).is_damaged
    window.write_bytes(content[:8] + bytes(len(content) - 8))
    assert Stacks(image).is_damaged


def test_stacks_after_an_overwritten_entry_are_unknown(chain: Chain, program: str) -> None:
    """Later stacks would get wrong numbers. An incomplete chunk at the end is not read."""
    recorded = chain(program, "kinds", sites=True)
    (image,) = recorded.images
    content, whole = window_of(image.stacks).read_bytes(), Stacks(image)
    window_of(image.stacks).unlink()
    image.stacks.write_bytes(content + b"\xff" * CHUNK + content + content[:100])
    damaged = Stacks(image)
    assert (whole.is_damaged, damaged.is_damaged) == (False, True)
    assert damaged.rows == whole.rows
    image.stacks.write_bytes(b"\xff" * CHUNK + content)
    trace = recorded.trace(image)
    assert sum(map(len, trace.chunks)) > 0
    assert any("call sites after the first 0 stacks are unknown" in loss for loss in trace.losses)
    assert trace.sites is not None
    assert len(trace.sites.table) == 1
