"""The exceptions form the tree that the module's docstring draws; messages name the remedy."""

import copy
import inspect
import pickle
import re

import pytest

import allocsim
from allocsim import errors
from allocsim.errors import (
    MAX_LISTED,
    AddressSpaceError,
    AllocsimError,
    DoubleFree,
    InvalidFree,
    UnknownName,
)


def drawn() -> list[tuple[str, str | None, int | None]]:
    """Every class that the docstring draws, with its base class and its exit status."""
    found: list[tuple[str, str | None, int | None]] = []
    above: dict[int, str] = {}
    for line in str(errors.__doc__).splitlines():
        match = re.match(r"( *)([A-Z]\w+) {2,}(\d+)?", line)
        if match:
            depth = len(match[1]) // 2
            above[depth] = match[2]
            found.append((match[2], above.get(depth - 1), int(match[3]) if match[3] else None))
    return found


def test_every_error_is_drawn() -> None:
    classes = [c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, Exception)]
    assert sorted(c.__name__ for c in classes) == sorted(name for name, _, _ in drawn())


@pytest.mark.parametrize("name", [name for name, _, _ in drawn()])
def test_error_can_be_caught_by_a_name_of_the_package(name: str) -> None:
    assert getattr(allocsim, name) is getattr(errors, name)
    assert name in dir(allocsim)
    assert name in allocsim.__all__


@pytest.mark.parametrize(("name", "above", "status"), drawn(), ids=lambda value: str(value))
def test_error_is_where_it_is_drawn(name: str, above: str | None, status: int | None) -> None:
    error = getattr(errors, name)
    assert error.__bases__ == (getattr(errors, above) if above else Exception,)
    assert status is None or error.exit_status == status


@pytest.mark.parametrize("name", [name for name, _, _ in drawn()])
def test_error_says_what_it_means(name: str) -> None:
    assert inspect.getdoc(getattr(errors, name))
    assert getattr(errors, name).__doc__ != Exception.__doc__


@pytest.mark.parametrize(
    ("name", "hint"),
    [("go2009", " (did you mean 'go2008'?)"), ("jemalloc", "")],
    ids=["near", "far"],
)
def test_unknown_name_offers_the_nearest_and_all(name: str, hint: str) -> None:
    unknown, listed = f"unknown design '{name}'{hint}; expected", "one of: go2008, pool"
    assert str(UnknownName("design", name, ["pool", "go2008"])) == f"{unknown} {listed}"
    assert str(UnknownName("design", name, ["pool", "go2008"], "a file")) == (
        f"{unknown} a file or {listed}"
    )


def test_unknown_name_lists_a_part_of_many_names() -> None:
    names = [f"serve a.c:{line:05}" for line in range(20_000)]
    message = str(UnknownName("group", "serve", names))
    assert message.endswith(f"{names[MAX_LISTED - 1]} and 19,960 others")
    assert len(message) < 1000
    one_more = str(UnknownName("group", "serve", names[: MAX_LISTED + 1]))
    assert one_more.endswith(f"{names[MAX_LISTED - 1]} and 1 other")


def test_unknown_name_without_known_ones() -> None:
    assert str(UnknownName("parameter", "x", [])) == (
        "unknown parameter 'x'; no parameter is known"
    )


@pytest.mark.parametrize("error", [InvalidFree, DoubleFree])
def test_invalid_free_gives_address_and_reason(error: type[InvalidFree]) -> None:
    raised = error(0xABC0, "it is not")
    assert raised.address == 0xABC0
    assert str(raised) == "invalid pointer 0xabc0: it is not"


def test_address_space_error_says_how_much_and_what_to_do() -> None:
    message = str(AddressSpaceError(3 << 30, "no memory"))
    assert "3.0 GiB of address space (no memory)" in message
    assert "--reserve" in message
    assert "ulimit -v" in message


def test_base_has_exit_status_2() -> None:
    assert AllocsimError.exit_status == 2


@pytest.mark.parametrize(
    "error",
    [
        AllocsimError("plain"),
        UnknownName("design", "x", ["go2008"]),
        DoubleFree(0x20, "it is free"),
        AddressSpaceError(1 << 30, "ENOMEM"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_can_be_copied_and_pickled(error: AllocsimError) -> None:
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(6)]
    for again in (*copies, copy.copy(error), copy.deepcopy(error)):
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
