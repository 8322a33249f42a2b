"""The state of a text scan, which every scanner has (see `line_reader`).

A format that needs more state declares another record. Its scanner then has both records.
"""

from __future__ import annotations

from allocsim.core.records import Int64, Struct


class ScanState(Struct):
    """Position, counters and result of a scan."""

    text: Int64  # address of the first byte of the buffer
    position: Int64  # end of the last number read; -1 if there was no number
    lines: Int64  # complete lines read so far
    skipped: Int64  # lines skipped so far because they are not of the format
    unreadable: Int64  # skipped lines so far that are calls, but cannot be read
    calls: Int64  # calls written to the current output
    made: Int64  # calls that the last line makes: 1, unless `read_line` sets this field to 0
    mixed: Int64  # 1 if lines that are not of the format are skipped; 0 if they stop the scan
    halt: Int64  # why the scan stopped: a Halt (see `traces.calls`)
