"""The records of a replay, and the reasons why the replay loop returns."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from allocsim.core.records import Int64, Sample, Struct, Table


class Touch(IntEnum):
    """The bytes of a new object that the simulated program writes."""

    NONE = 0
    FIRST = 1
    """The first byte."""
    PAGE = 2
    """One byte in each page of 4 KiB."""
    FULL = 3
    """Every byte."""


class Stop(IntEnum):
    """Reason why the loop returned."""

    END = 0
    """All events of the chunk were replayed."""
    SAMPLES = 1
    """The sample buffer is full; the event was replayed."""
    CHECK = 2
    """A check is due; the event was replayed."""
    OBJECTS = 3
    """The object table has no row for the object of the event; the event was not replayed."""
    THREADS = 4
    """The heap could not prepare for the calls of a new thread."""
    LIMIT = 5
    """The footprint exceeded the limit. The event was replayed, but if it allocated a large object,
    the object was not written."""
    REFUSED = 6
    """An allocation failed."""
    BAD_EVENT = 7
    """The event frees or resizes an object that is not live, or allocates a live object."""
    BAD_FREE = 8
    """free failed for an object that the heap had allocated."""
    PATTERN = 9
    """The fill pattern of an object was overwritten."""
    NOT_ZERO = 10
    """A new object is not all zeros, although calloc or the design promises it."""
    MISALIGNED = 11
    """The address of a new object is not a multiple of its alignment."""


class Driver(Struct):
    """The state of a replay."""

    events: Int64  # events replayed
    live: Int64  # bytes requested and not freed
    peak_live: Int64  # maximum of `live`
    threads: Int64  # threads for which `thread_begin` was called
    peak_footprint: Int64  # maximum footprint so far, bytes
    moments: Int64  # 1: update all fields from live_sum through later_live (`driver_due`)
    live_sum: Int64  # sum of `live` after each event since `Player` last cleared this field
    footprint_sum: Int64  # sum of the footprint after each event, cleared together with live_sum
    live_peak_event: Int64  # events replayed when `live` first reached its peak
    live_peak_footprint: Int64  # footprint at that moment
    live_peak: Int64  # live bytes at that moment
    worst_event: Int64  # events replayed when (footprint - live) was largest, see `driver_due`
    worst_footprint: Int64  # footprint at that moment
    worst_live: Int64  # live bytes at that moment
    later_event: Int64  # as worst_event, but events after the last allocation count too
    later_footprint: Int64  # footprint at that moment
    later_live: Int64  # live bytes at that moment
    limit: Int64  # footprint above which the loop stops, bytes
    next_sample: Int64  # number of events at which the next sample is due
    interval: Int64  # events between samples
    samples: Int64  # rows of the sample buffer in use
    next_check: Int64  # number of events at which the next check is due
    due: Int64  # the smaller of next_sample and next_check
    touch: Int64  # a Touch
    verify: Int64  # 1: fill every object with its pattern, check the patterns and alignments
    alignment: Int64  # with verify: largest alignment required of malloc, bytes
    patterns: Int64  # fill patterns checked
    zeroed: Int64  # 1: new objects must be all zeros
    stop: Int64  # a Stop


DRIVER = Driver.dtype
"""NumPy type of a Driver in an array."""


class Object(Struct):
    """An object of the program."""

    address: Int64  # 0: not live
    request: Int64  # bytes requested


OBJECT = Object.dtype
"""NumPy type of an Object in an array."""


class Run(NamedTuple):
    """The tables of a replay."""

    driver: Table[Driver]  # one record
    objects: Table[Object]  # by object id
    samples: Table[Sample]  # a buffer, which `Player` empties
    peak: Table[Sample]  # one record: the heap when the footprint first reached its peak
