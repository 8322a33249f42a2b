"""Corruptions of the mappings of a glibc heap, for `test_check`."""

from allocsim.core.memory import Reservation
from allocsim.core.raw import store_word
from allocsim.core.records import HeapState
from allocsim.designs.glibc import check_mappings
from allocsim.designs.glibc.check_mappings import ranges_of
from allocsim.designs.glibc.records import Kind
from tests.corruptions import Corruptions

CORRUPTIONS = Corruptions()
breaks = CORRUPTIONS.breaks


def ranges(state: HeapState, memory: Reservation, kind: Kind) -> list[int]:
    """The numbers of the ranges of a kind."""
    return [each.number for each in ranges_of(state, memory) if each.kind == kind]


@breaks(check_mappings.mappings_fill_the_end, "the mappings end at")
def range_too_long(state: HeapState, memory: Reservation) -> None:
    state.mapping[ranges(state, memory, Kind.STACK)[0]].pages = 1 << 30


@breaks(check_mappings.mappings_fill_the_end, "is free")
def lowest_range_free(state: HeapState, memory: Reservation) -> None:
    state.mapping[ranges_of(state, memory)[0].number].kind = Kind.FREE


@breaks(check_mappings.mappings_fill_the_end, "are adjacent")
def free_ranges_adjacent(state: HeapState, memory: Reservation) -> None:
    found = ranges_of(state, memory)
    place = next(n for n, each in enumerate(found) if each.kind == Kind.FREE)
    state.mapping[found[place + 1].number].kind = Kind.FREE


@breaks(check_mappings.mappings_fill_the_end, "does not follow")
def range_below_differs(state: HeapState, memory: Reservation) -> None:
    state.mapping[ranges(state, memory, Kind.CHUNK)[-1]].below = 1


@breaks(check_mappings.mappings_are_what_they_count, "has no chunk")
def head_of_a_mapping_overwritten(state: HeapState, memory: Reservation) -> None:
    start = next(each.start for each in ranges_of(state, memory) if each.kind == Kind.CHUNK)
    store_word(start + 8, 0)


@breaks(check_mappings.mappings_are_what_they_count, "counted")
def mappings_miscounted(state: HeapState, memory: Reservation) -> None:
    state.mp_[0].n_mmaps += 1


@breaks(check_mappings.mappings_are_what_they_count, "counted")
def stacks_miscounted(state: HeapState, memory: Reservation) -> None:
    state.mp_[0].stack_bytes += 4096


@breaks(check_mappings.heap_is_what_was_mapped, "arenas and mappings have")
def heap_too_large(state: HeapState, memory: Reservation) -> None:
    state.system[0].heap += 4096


@breaks(check_mappings.heap_is_what_was_mapped, "the break is at")
def break_moved(state: HeapState, memory: Reservation) -> None:
    state.system[0].next += 4096


@breaks(check_mappings.free_ranges_are_listed, "of another length")
def range_on_the_list_of_another_length(state: HeapState, memory: Reservation) -> None:
    state.mapping[ranges(state, memory, Kind.FREE)[0]].pages = 1


@breaks(check_mappings.free_ranges_are_listed, "listed")
def free_range_not_listed(state: HeapState, memory: Reservation) -> None:
    state.mapping.next[-check_mappings.LISTS :] = 0


@breaks(check_mappings.free_ranges_are_listed, "broken link")
def list_of_ranges_broken(state: HeapState, memory: Reservation) -> None:
    state.mapping[ranges(state, memory, Kind.FREE)[0]].previous = 7
