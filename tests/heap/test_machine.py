"""A state machine compares Heap with a model: live addresses and the bytes stored there."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from allocsim import Heap
from allocsim.errors import DoubleFree, InvalidFree
from tests.conftest import RESERVE, SCALE

BORDERS = [0, 1, 7, 8, 9, 24, 120, 121, 128, 1000, 4096, 32767, 32768, 32769, 100_000, 262_145]

sizes = st.one_of(st.sampled_from(BORDERS), st.integers(0, 300), st.integers(0, 70_000))
picks = st.integers(0, 1 << 16)
"""Index of an object, modulo the number of objects."""

patterns = st.binary(min_size=1, max_size=9)


class HeapMachine(RuleBasedStateMachine):
    """The model: live objects and stack segments by address, with the bytes last written."""

    design = "go2008"
    releasable: tuple[str, ...] = ("free_spans",)
    """The parts of the footprint from which pages can be released."""

    def __init__(self) -> None:
        super().__init__()
        self.heap = Heap(self.design, reserve=RESERVE)
        self.objects: dict[int, bytearray] = {}
        self.stacks: dict[int, bytearray] = {}
        self.freed: set[int] = set()
        self.steps = 0

    def pick(self, number: int, among: dict[int, bytearray]) -> int:
        """Return one of the addresses of a model."""
        return list(among)[number % len(among)]

    def fresh(self, address: int, size: int, zeroed: bool = False) -> bytearray:
        """Return the contents of a new object: zeros if the design or the call promises them."""
        content = bytearray(self.heap.view(address))
        assert len(content) == size
        if zeroed or self.heap.design.zeroed:
            assert content == bytes(size)
        return content

    def add(self, address: int, size: int, zeroed: bool = False) -> None:
        """Add a new object to the model."""
        self.objects[address] = self.fresh(address, size, zeroed)
        self.freed.discard(address)

    @rule(size=sizes)
    def malloc(self, size: int) -> None:
        self.add(self.heap.malloc(size), size)

    @rule(count=st.integers(0, 50), size=st.integers(0, 1000))
    def calloc(self, count: int, size: int) -> None:
        self.add(self.heap.calloc(count, size), count * size, zeroed=True)

    @rule(exponent=st.integers(0, 14), size=sizes)
    def memalign(self, exponent: int, size: int) -> None:
        address = self.heap.memalign(1 << exponent, size)
        assert address % (1 << exponent) == 0
        self.add(address, size)

    @precondition(lambda self: self.objects)
    @rule(number=picks, size=sizes.filter(bool))
    def realloc(self, number: int, size: int) -> None:
        address = self.pick(number, self.objects)
        content = self.objects.pop(address)
        moved = self.heap.realloc(address, size)
        self.freed.add(address)
        self.freed.discard(moved)
        kept = content[:size]
        added = self.heap.view(moved)[len(kept) :]
        assert not self.heap.design.zeroed or not any(added)
        self.objects[moved] = kept + added

    @precondition(lambda self: self.objects)
    @rule(number=picks)
    def free(self, number: int) -> None:
        address = self.pick(number, self.objects)
        self.heap.free(address)
        del self.objects[address]
        self.freed.add(address)

    @precondition(lambda self: self.objects or self.stacks)
    @rule(number=picks, offset=picks, pattern=patterns, repeated=st.sampled_from([1, 10_000]))
    def write(self, number: int, offset: int, pattern: bytes, repeated: int) -> None:
        everything = self.objects | self.stacks
        address = self.pick(number, everything)
        content = everything[address]
        begin = offset % (len(content) + 1)
        written = (pattern * repeated)[: len(content) - begin]
        self.heap.view(address)[begin : begin + len(written)] = written
        content[begin : begin + len(written)] = written

    @rule(size=st.integers(0, 20_000))
    def allocate_stack(self, size: int) -> None:
        address = self.heap.allocate_stack(size)
        self.stacks[address] = self.fresh(address, size)
        self.freed.discard(address)

    @precondition(lambda self: self.stacks)
    @rule(number=picks)
    def free_stack(self, number: int) -> None:
        address = self.pick(number, self.stacks)
        self.heap.free_stack(address)
        del self.stacks[address]

    @precondition(lambda self: self.objects)
    @rule(number=picks, offset=st.integers(1, 7))
    def free_inside_an_object(self, number: int, offset: int) -> None:
        address = self.pick(number, self.objects)
        rejects(self.heap.free, address + offset)
        rejects(self.heap.free_stack, address)

    @precondition(lambda self: self.stacks)
    @rule(number=picks, size=sizes)
    def free_a_stack_as_an_object(self, number: int, size: int) -> None:
        address = self.pick(number, self.stacks)
        rejects(self.heap.free, address)
        rejects(lambda wrong: self.heap.realloc(wrong, size), address)

    @precondition(lambda self: self.freed - self.stacks.keys())
    @rule(number=picks)
    def free_twice(self, number: int) -> None:
        dead = sorted(self.freed - self.stacks.keys())
        rejects(self.heap.free, dead[number % len(dead)])

    @rule(beyond=st.integers(0, 1 << 40))
    def free_beyond_the_heap(self, beyond: int) -> None:
        rejects(self.heap.free, self.heap.memory.address + self.heap.profile().heap + beyond)

    @rule(length=st.sampled_from([0, 1, 100_000, 1 << 40]))
    def release(self, length: int) -> None:
        before = self.heap.profile()
        released = self.heap.release(length)
        assert self.heap.profile().footprint == before.footprint - released
        assert 0 <= released <= sum(before.parts[name] for name in self.releasable)

    @rule()
    def end_the_thread(self) -> None:
        self.heap.thread_done()

    @invariant()
    def contents_are_what_was_written(self) -> None:
        for address, content in (self.objects | self.stacks).items():
            assert self.heap.view(address) == content

    @invariant()
    def objects_do_not_overlap(self) -> None:
        end = 0
        for address, content in sorted((self.objects | self.stacks).items()):
            assert address >= end
            end = address + max(len(content), 1)

    @invariant()
    def live_bytes_are_those_of_the_model(self) -> None:
        live = sum(len(content) for content in (self.objects | self.stacks).values())
        assert self.heap.live == self.heap.profile().live == live

    @invariant()
    def heap_is_valid(self) -> None:
        self.steps += 1
        if self.steps % 10 == 0:
            assert self.heap.check() == []

    def teardown(self) -> None:
        assert self.heap.check() == []
        self.heap.close()


def rejects(call: Callable[[int], object], address: int) -> None:
    """Require that the call raises InvalidFree for the address."""
    with pytest.raises(InvalidFree) as raised:
        call(address)
    assert raised.value.address == address


class TcmallocMachine(HeapMachine):
    """HeapMachine for tcmalloc, whose new objects are not zeroed."""

    design = "tcmalloc"


class GlibcMachine(HeapMachine):
    """HeapMachine for glibc, whose new objects are not zeroed."""

    design = "glibc"
    releasable = ("transfer", "central", "free_spans")  # malloc_trim consolidates the fastbins


MACHINES = (HeapMachine, TcmallocMachine, GlibcMachine)

for _machine in MACHINES:
    _machine.TestCase.settings = settings(
        settings.get_profile("allocsim"), max_examples=SCALE + 1, stateful_step_count=40
    )
TestHeapAgreesWithItsModel = HeapMachine.TestCase
TestTcmallocAgreesWithItsModel = TcmallocMachine.TestCase
TestGlibcAgreesWithItsModel = GlibcMachine.TestCase


@pytest.mark.parametrize("kind", MACHINES)
def test_second_free_of_a_small_object_is_a_double_free(kind: type[HeapMachine]) -> None:
    machine = kind()
    machine.malloc(8)
    (address,) = machine.objects
    machine.free(0)
    with pytest.raises(DoubleFree):
        machine.heap.free(address)
    machine.teardown()
