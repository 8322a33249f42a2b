"""The state that every scanner of text keeps between its calls.

A format that has to remember more declares a record of its own next to this one.
"""

from __future__ import annotations

from allocsim.core.records import Int64, Struct


class ScanState(Struct):
    """Position, counters and result of a scan."""

    text: Int64  # address of the first byte of the block
    position: Int64  # end of the number that was read last; -1: there was no number
    lines: Int64  # complete lines read so far
    skipped: Int64  # lines skipped so far because they are not of the format
    calls: Int64  # calls written to the current output
    made: Int64  # calls that the last line makes: 1 unless `read_line` sets it to 0
    mixed: Int64  # 1: skip lines that are not of the format; 0: they halt the scan
    halt: Int64  # a Halt
