"""The fields of a JSON object that its page in docs/ does not name."""

from typing import Any

NAMED_BY_DATA = {
    "workload", "dropped", "parameters", "counters", "native_counters", "parts", "unowned",
    "nobody", "values", "settings", "versions", "subjects",
}  # fmt: skip
"""Objects whose keys are not fields, but names of a workload, an allocator or a setting."""


def undocumented(found: Any, page: str) -> set[str]:
    """Return the keys of an object, and of all objects in it, that are not code in the page."""
    if isinstance(found, list):
        return set().union(*(undocumented(each, page) for each in found))
    if not isinstance(found, dict):
        return set()
    missing = {key for key in found if f"`{key}`" not in page}
    inner = [
        undocumented(value, page)
        for key, value in found.items()
        if key not in NAMED_BY_DATA or isinstance(value, list)
    ]
    return missing.union(*inner)
