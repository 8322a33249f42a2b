"""The topics of `allocsim help`; the text of each is a file in this package."""

from __future__ import annotations

TOPICS = {
    "figures": "Meaning of each figure in a report.",
    "workloads": "Recordings, jobs and bundled workloads.",
    "formats": "Trace formats that can be read and written.",
    "designs": "The simulated allocators, and adding your own.",
    "comparing": "Method of `compare`, and limits of its figures.",
    "sizes": "Notation of sizes, counts and percentages.",
    "exit-status": "Meaning of each exit status.",
    "completion": "Completion of commands in a shell.",
}
"""One-line summary of each topic, by the name of its file."""
