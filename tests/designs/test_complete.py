"""Incomplete designs from files: defaults for what is missing, and errors."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from allocsim import Heap
from allocsim.cli import cli
from allocsim.designs import find_design
from allocsim.errors import InputError, InvalidFree
from tests.designs.outside import write_design


@pytest.fixture
def slots(tmp_path: Path) -> str:
    """The path of a design with neither size classes nor invariants nor optional operations."""
    return write_design(tmp_path)


@pytest.mark.parametrize("operation", ["malloc", "free", "usable_size", "measure"])
def test_missing_operation_is_named(tmp_path: Path, operation: str) -> None:
    path = write_design(tmp_path, (f"@answers(operations.{operation}, Slots)\n", ""))
    with pytest.raises(
        InputError, match=f"the design 'slots' has no kernel for {operation}; write"
    ):
        find_design(path)


def test_kernel_with_other_parameters_is_an_input_error(tmp_path: Path) -> None:
    path = write_design(tmp_path, ("def free(heap, thread,", "def free(heap,"))
    with pytest.raises(InputError, match=r"free must take \(heap, thread, address\)"):
        find_design(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in ("1", "''", "'a b'")),
        *(("state", value) for value in ("Slots(1, 2)", "dict")),
        ("create", "None"),
        ("size_classes", "13"),
        ("classes", "[]"),
        *(("invariants", value) for value in ("create", "(1,)", "[create]")),
        ("zeroed", "1"),
        *(("parameters", value) for value in ("{'a': 1}", "[]")),
        ("placement", "0"),
        *(("parts", value) for value in ("{'tails': 'x'}", "{'tail': 1}", "'tail'")),
    ],
)
def test_field_of_a_wrong_type_is_an_input_error(tmp_path: Path, field: str, value: str) -> None:
    fields = {"name": "'slots'", "state": "Slots", "create": "create", field: value}
    made = ", ".join(f"{key}={each}" for key, each in fields.items())
    path = write_design(tmp_path, ('name="slots", state=Slots, create=create', made))
    with pytest.raises(InputError, match=rf"Design\.{field} is .*, expected "):
        find_design(path)


def test_create_of_another_type_is_an_input_error(tmp_path: Path) -> None:
    path = write_design(
        tmp_path,
        ("    return heap\n\n\n@answers(operations.malloc", "\n\n@answers(operations.malloc"),
    )
    with pytest.raises(InputError, match="'slots': create returned NoneType, expected Slots"):
        Heap(path)


def test_size_classes_of_another_type_are_an_input_error(tmp_path: Path) -> None:
    changed = ("create=create)", "create=create, size_classes=lambda _: [16, 32])")
    with pytest.raises(InputError, match="size_classes returned list, expected SizeClasses"):
        find_design(write_design(tmp_path, changed)).table({})


def test_calls_without_a_kernel_have_defaults(slots: str) -> None:
    with Heap(slots, reserve=1 << 20) as heap:
        address = heap.malloc(10)
        heap.view(address)[:] = b"0123456789"
        moved = heap.realloc(address, 20)
        assert bytes(heap.view(moved))[:10] == b"0123456789"
        heap.view(heap.calloc(2, 100))
        assert heap.memalign(4096, 1) % 4096 == 0
        assert heap.release(1 << 20) == 0
        heap.thread_done()
        heap.freeze()
        assert heap.profile().live == 20 + 200 + 1


def test_call_that_a_design_does_not_support_says_so(slots: str) -> None:
    with Heap(slots, reserve=1 << 20) as heap:
        with pytest.raises(InputError, match="the design 'slots' does not support"):
            heap.allocate_stack(100)
        with pytest.raises(InvalidFree):
            heap.free_stack(heap.malloc(1))
        heap.malloc(1)  # so that the next address is not a multiple of 2**19
        with pytest.raises(InputError, match="the design 'slots' does not support"):
            heap.memalign(1 << 19, 1)


def test_invariants_of_a_design_without_any_cannot_be_checked(slots: str) -> None:
    with Heap(slots, reserve=1 << 20) as heap, pytest.raises(InputError, match="no invariants"):
        heap.check()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["sizeclass-check"], "the design 'slots' has no size classes"),
        (["random", "--ops", "9", "--check-every", "3"], "has no invariants to check"),
        (["random", "--ops", "9", "--set", "a=1"], "slots has no parameters"),
    ],
)
def test_command_says_what_a_design_lacks(slots: str, command: list[str], message: str) -> None:
    done = CliRunner().invoke(cli, [*command, "--design", slots])
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_report_of_a_design_without_classes_has_none(slots: str) -> None:
    done = CliRunner().invoke(cli, ["random", "--ops", "9", "--design", slots, "--classes"])
    assert done.exit_code == 0, done.output


def test_free_that_returns_none_is_an_error_that_names_it(tmp_path: Path) -> None:
    kernel = "heap.live[0] -= 1\n    return"
    path = write_design(tmp_path, (f"{kernel} Status.OK", f"{kernel} None"))
    with Heap(path, reserve=1 << 20) as heap:
        address = heap.malloc(1)
        with pytest.raises(InputError, match="'slots': free\\(\\) of a live object returned None"):
            heap.free(address)


def test_invariant_that_is_no_generator_is_an_error_that_names_it(tmp_path: Path) -> None:
    invariants = "create=create, invariants=(lambda heap, memory: None,))"
    path = write_design(tmp_path, ("create=create)", invariants))
    message = "the invariant <lambda> returned None; expected a generator"
    with Heap(path, reserve=1 << 20) as heap, pytest.raises(InputError, match=message):
        heap.check()
