"""The fields of a JSON object that its page in docs/ does not name."""

from typing import Any

NAMED_BY_DATA = {
    "workload", "dropped", "parameters", "counters", "native_counters", "parts", "unowned",
    "nobody", "values", "settings", "versions", "subjects",
}  # fmt: skip
"""Objects whose keys are not fields, but names of a workload, an allocator or a setting."""


def section(page: str, title: str) -> str:
    """Return the section of a page whose heading begins with `title`, without the heading."""
    _, heading, rest = page.partition(f"\n## {title}")
    assert heading, f"no section {title}"
    return rest.partition("\n## ")[0]


def undocumented(found: Any, page: str, text: str | None = None) -> set[str]:
    """Return the keys of an object, and of all objects in it, that are not code in `text`.

    For an object with a `schema`, `text` is the section of the page with this heading. By default,
    it is the whole page.
    """
    text = page if text is None else text
    if isinstance(found, list):
        return set().union(*(undocumented(each, page, text) for each in found))
    if not isinstance(found, dict):
        return set()
    if f"\n## `{found.get('schema')}`" in page:
        text = section(page, f"`{found['schema']}`")
    missing = {key for key in found if f"`{key}`" not in text}
    inner = [
        undocumented(value, page, text)
        for key, value in found.items()
        if key not in NAMED_BY_DATA or isinstance(value, list)
    ]
    return missing.union(*inner)
