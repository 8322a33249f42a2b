"""Corruptions of a busy heap, at least one for each invariant, with parts of the messages."""

from allocsim.core.memory import Reservation
from allocsim.designs.go import check_classes, check_pages
from allocsim.designs.go.records import BACKGROUND, FORCED, PARTIAL, Go
from tests.corruptions import Corruptions

CORRUPTIONS = Corruptions()
breaks = CORRUPTIONS.breaks

CLASS = 9
"""The class of 112 bytes. The busy heap has a cached span and partial spans of this class."""


def a_span(heap: Go) -> int:
    """Return a span in the partial set of the class."""
    return int(heap.span_set[CLASS, PARTIAL].head)


@breaks(check_pages.chunks_are_what_was_obtained, "chunks counted from")
def count_a_chunk_too_many(heap: Go, memory: Reservation) -> None:
    heap.mheap[0].chunks += 1


@breaks(check_pages.pages_in_use_belong_to_one_span, "the page bitmap disagrees")
def free_a_page_in_use(heap: Go, memory: Reservation) -> None:
    heap.palloc_bits[0] &= ~1


@breaks(check_pages.pages_in_use_belong_to_one_span, "pages are counted as in use")
def count_a_page_in_use_too_many(heap: Go, memory: Reservation) -> None:
    heap.mheap[0].pages_in_use += 1


@breaks(check_pages.pages_in_use_belong_to_one_span, "is not valid")
def move_a_span_out_of_the_heap(heap: Go, memory: Reservation) -> None:
    heap.mspan[a_span(heap)].start_addr += memory.length


@breaks(check_pages.pages_in_use_belong_to_one_span, "outside the heap")
def move_the_page_cache_out_of_the_heap(heap: Go, memory: Reservation) -> None:
    heap.mheap[0].page_cache, heap.mheap[0].page_cache_base = 1, 1 << 40


@breaks(check_pages.released_pages_are_free, "is in use and released")
def release_a_page_in_use(heap: Go, memory: Reservation) -> None:
    heap.palloc_bits[8] |= 1


@breaks(check_pages.released_pages_are_free, "counted as released")
def count_a_released_page_too_many(heap: Go, memory: Reservation) -> None:
    heap.system[0].released += 8192


@breaks(check_pages.released_pages_are_free, "the page cache marks pages as released")
def release_a_page_that_left_the_cache(heap: Go, memory: Reservation) -> None:
    heap.mheap[0].page_cache_scav |= ~heap.mheap[0].page_cache


@breaks(check_pages.no_page_below_the_search_address_is_free, "is free, but the search begins")
def search_above_a_free_page(heap: Go, memory: Reservation) -> None:
    heap.mheap[0].search_addr = heap.mheap[0].chunks * 512


@breaks(check_pages.no_page_below_the_search_address_is_free, "outside the heap")
def search_outside_the_heap(heap: Go, memory: Reservation) -> None:
    heap.mheap[0].search_addr = -1


@breaks(check_pages.summaries_describe_the_bitmap, "summary 0 of level 0")
def summarize_a_longer_run(heap: Go, memory: Reservation) -> None:
    heap.summary[0, 0].max_ += 1


@breaks(check_pages.summaries_describe_the_bitmap, "summary 0 of level 2")
def summarize_fewer_pages_at_the_end(heap: Go, memory: Reservation) -> None:
    heap.summary[2, 0].end = 7


@breaks(check_pages.scavenger_counts_the_pages_of_chunks, "the scavenger counts")
def count_a_page_of_a_chunk_too_many(heap: Go, memory: Reservation) -> None:
    heap.scav_chunk[0].in_use += 1


@breaks(check_pages.scavenger_counts_the_pages_of_chunks, "scavenger's search begins at page")
def release_from_outside_the_heap(heap: Go, memory: Reservation) -> None:
    heap.scav_search[BACKGROUND].page = 1 << 40


@breaks(check_pages.scavenger_counts_the_pages_of_chunks, "but the forced search begins at -1")
def release_nothing_though_a_page_is_free(heap: Go, memory: Reservation) -> None:
    heap.scav_search[FORCED].page, heap.palloc_bits[15] = -1, 0


@breaks(check_pages.spans_are_mapped, "is mapped to")
def map_a_page_to_another_span(heap: Go, memory: Reservation) -> None:
    heap.spans[0] += 1 << 16


@breaks(check_pages.records_are_counted, "span records")
def lose_the_unused_records(heap: Go, memory: Reservation) -> None:
    heap.mheap[0].last_span += 1


@breaks(check_pages.records_are_counted, "spans counted")
def count_a_span_too_many(heap: Go, memory: Reservation) -> None:
    heap.counters[0].spans += 1


@breaks(check_pages.records_are_counted, "pages of large objects counted")
def count_a_large_page_too_many(heap: Go, memory: Reservation) -> None:
    heap.counters[0].large_pages += 1


@breaks(check_pages.records_are_counted, "metadata of")
def count_metadata_too_often(heap: Go, memory: Reservation) -> None:
    heap.system[0].metadata += 1


@breaks(check_pages.records_are_counted, "overlaps span")
def lengthen_a_span(heap: Go, memory: Reservation) -> None:
    heap.mspan[a_span(heap)].npages += 1000


@breaks(check_classes.each_span_is_in_one_set, "a broken link to span")
def break_a_link(heap: Go, memory: Reservation) -> None:
    heap.span_use[a_span(heap)].prev = 99


@breaks(check_classes.each_span_is_in_one_set, "a tail of")
def lose_the_tail(heap: Go, memory: Reservation) -> None:
    heap.span_set[CLASS, PARTIAL].tail = 0


@breaks(check_classes.each_span_is_in_one_set, "is in no set and not cached")
def lose_a_set(heap: Go, memory: Reservation) -> None:
    heap.span_set[CLASS, PARTIAL].head = heap.span_set[CLASS, PARTIAL].tail = 0


@breaks(check_classes.each_span_is_in_one_set, "is in set 0")
def fill_a_span_of_the_partial_set(heap: Go, memory: Reservation) -> None:
    heap.span_use[a_span(heap)].alloc_count = heap.mcentral[CLASS].nelems


@breaks(check_classes.each_span_is_in_one_set, "is in a set, but not in use")
def cache_a_span_that_is_not_in_use(heap: Go, memory: Reservation) -> None:
    heap.mcentral[1].alloc = int(heap.mheap[0].last_span) + 1


@breaks(check_classes.each_span_is_in_one_set, "has not ended: span")
def stop_in_a_sweep(heap: Go, memory: Reservation) -> None:
    heap.mcentral[CLASS].unswept = a_span(heap)


@breaks(check_classes.free_bytes_are_counted, "counted as `partial`")
def count_a_free_slot_too_many(heap: Go, memory: Reservation) -> None:
    heap.mheap[0].partial += 112


@breaks(check_classes.free_bytes_are_counted, "counted as `cached`")
def count_a_cached_slot_too_many(heap: Go, memory: Reservation) -> None:
    heap.mheap[0].cached += 112


@breaks(check_classes.free_bytes_are_counted, "counted as `tails`")
def forget_a_tail(heap: Go, memory: Reservation) -> None:
    heap.mheap[0].tails -= 32


@breaks(check_classes.free_bytes_are_counted, "a span whose npages is not")
def give_a_class_longer_spans(heap: Go, memory: Reservation) -> None:
    heap.mcentral[CLASS].npages += 1


@breaks(check_classes.live_slots_are_taken, "has a live slot beyond")
def make_a_slot_live_that_does_not_exist(heap: Go, memory: Reservation) -> None:
    heap.gc_bits[a_span(heap) * 16 + 14] = 1


@breaks(check_classes.live_slots_are_taken, "alloc_count is")
def make_a_free_slot_live(heap: Go, memory: Reservation) -> None:
    heap.gc_bits[a_span(heap) * 16] = -1
    heap.gc_bits[a_span(heap) * 16 + 1] = 0


@breaks(check_classes.cached_slots_are_free, "offers slots")
def offer_slots_that_are_taken(heap: Go, memory: Reservation) -> None:
    heap.mcentral[CLASS].alloc_cache = -1


@breaks(check_classes.cached_slots_are_free, "that it has passed")
def offer_slots_that_were_passed(heap: Go, memory: Reservation) -> None:
    heap.mcentral[CLASS].alloc_bit = 63


@breaks(check_classes.cached_slots_are_free, "of span 0")
def offer_slots_of_no_span(heap: Go, memory: Reservation) -> None:
    heap.mcentral[CLASS].alloc = 0


@breaks(check_classes.cached_slots_are_free, "takes slots from")
def take_slots_from_elsewhere(heap: Go, memory: Reservation) -> None:
    heap.mcentral[CLASS].alloc_base += 8


@breaks(check_classes.dead_objects_are_counted, "dead objects counted")
def count_a_dead_object_too_many(heap: Go, memory: Reservation) -> None:
    heap.gc_controller[0].dead_objects += 1


@breaks(check_classes.allocated_bytes_are_counted, "bytes are counted as allocated")
def count_allocated_bytes_too_many(heap: Go, memory: Reservation) -> None:
    heap.gc_controller[0].allocated += 16


@breaks(check_classes.tiny_parts_are_live, "has parts")
def let_a_slot_change_without_its_live_bit(heap: Go, memory: Reservation) -> None:
    span = next(span for span in check_classes.small_spans(heap) if span.size_class == 2)
    place = (span.start_addr - memory.address) // 16
    heap.tiny_parts[place] = heap.tiny_parts[place] == 0


@breaks(check_classes.tiny_parts_are_live, "the tiny block at")
def use_more_than_the_tiny_block(heap: Go, memory: Reservation) -> None:
    heap.mheap[0].tinyoffset = 17


@breaks(check_classes.reusable_objects_are_dead, "is not a dead object")
def reuse_what_is_no_object(heap: Go, memory: Reservation) -> None:
    heap.mcentral[CLASS].reusable = memory.address + 1


@breaks(check_classes.reusable_objects_are_dead, "num_reusable of class")
def count_a_reusable_object_too_many(heap: Go, memory: Reservation) -> None:
    heap.mcentral[CLASS].num_reusable += 1
