"""Designs: simulated allocators, bundled with allocsim or supplied by the user.

A design consists of a state type, a kernel (a compiled function) for each operation of
`core.operations`, and a `Design` that describes it. Bundled designs have a folder here.
`docs/design-tutorial.md` shows how to write a design in a file of your own. Code outside the
designs treats all designs alike: they differ only in their kernels and in the fields of `Design`.
"""

from __future__ import annotations

from importlib import import_module

from allocsim.designs.design import CacheUse, ClassUse, Design, Units
from allocsim.designs.parameter import Parameter, parse_setting
from allocsim.errors import UnknownName

__all__ = [
    "DEFAULT",
    "RECORDED_DEFAULT",
    "SUMMARIES",
    "CacheUse",
    "ClassUse",
    "Design",
    "Parameter",
    "Units",
    "design_summaries",
    "find_design",
    "is_design_file",
    "parse_setting",
]

SUMMARIES = {
    "go2008": "Go's first malloc, November 2008: thread caches, no coalescing, nothing released",
    "tcmalloc": "gperftools 2.10: bounded thread caches, transfer cache, central free lists",
    "go": "Go 1.27: spans with mark bits, lowest-address first fit, garbage collection",
    "glibc": "malloc of glibc 2.36: thread caches, bins, arenas; the heap shrinks only at its end",
}
"""The names of the bundled designs, each with a one-line summary. The summaries are here, not in
the designs' own modules, because importing those modules loads Numba."""

DEFAULT = "go2008"
"""The default design for generated workloads."""

RECORDED_DEFAULT = "glibc"
"""The default design for recordings. Most recorded programs use glibc."""


def find_design(name: str) -> Design:
    """Return the design `name`: a bundled one, a file such as ./mine.py, or an installed one.

    `name` is read as a file only if it contains a slash or ends with .py, so a plain name never
    runs code from the current directory. Bundled designs come first: no package can replace them.
    """
    if name in SUMMARIES:
        design: Design = import_module(f"{__name__}.{name}").DESIGN
        return design
    if is_design_file(name):
        from allocsim.designs.from_file import load_file

        return load_file(name)
    from allocsim.designs.installed import installed_designs, load_installed

    installed = installed_designs()
    if name not in installed:
        known = [*SUMMARIES, *installed]
        raise UnknownName("design", name, known, "a file such as ./mine.py")
    return load_installed(installed[name])


def is_design_file(name: str) -> bool:
    """Return whether `name` is the path of a file: it contains a slash or ends with .py."""
    return "/" in name or name.endswith(".py")


def design_summaries() -> dict[str, str]:
    """Return a one-line summary of each bundled and installed design. No design is loaded."""
    from allocsim.designs.installed import installed_designs, installed_summary

    installed = {name: installed_summary(entry) for name, entry in installed_designs().items()}
    return SUMMARIES | {name: text for name, text in installed.items() if name not in SUMMARIES}
