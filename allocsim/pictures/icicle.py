"""The icicle: owned bytes by stack, callers above the functions that they call.

An object owns its bytes and a share of the free bytes that live objects pin (see
`explanation.shares`). The parts of the owned bytes are called live, rounding and pinned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from allocsim.call_sites.frame import Frame
from allocsim.call_sites.own_frame import Rank, rank_of
from allocsim.explanation.stacks import NO_OBJECT, Stacks
from allocsim.pictures.axes import bytes_axis, rows_axis
from allocsim.pictures.figure import Figure, View
from allocsim.pictures.legend import in_order, part_colours
from allocsim.pictures.palette import INK_ON_PART, PAPER
from allocsim.pictures.text_width import cut
from allocsim.pictures.units import Unit, unit_for
from allocsim.text import format_bytes

DEPTH = 10
"""Maximum number of rows. In deeper stacks, functions that call only one other are left out first,
then the functions below the last row."""

STEP = 24
"""Height of a row in pixels."""

MIN_SHARE = 500
"""A cell of less than total / MIN_SHARE bytes is not drawn."""


MAX_CELLS = 400
"""Maximum number of cells. The smallest are left out."""


@dataclass
class Node:
    """A function in the tree of stacks."""

    name: str
    parts: dict[str, int] = field(default_factory=dict)
    """Bytes owned by objects that the function or its callees allocated, by part."""
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Owned bytes."""
        return sum(self.parts.values())

    @property
    def largest_part(self) -> str:
        """The part with the most bytes."""
        return max(self.parts, key=lambda name: self.parts[name])

    def add(self, parts: Mapping[str, int]) -> None:
        """Add owned bytes."""
        for name, size in parts.items():
            self.parts[name] = self.parts.get(name, 0) + size


def icicle(stacks: Stacks) -> Figure:
    """Return the figure of owners by stack."""
    root = tree_of(stacks)
    cells = _largest([*_cells(root, 0, 0, max(root.size // MIN_SHARE, 1))])
    unit = unit_for(root.size)
    return Figure(
        title="Owners by stack",
        summary="The width of a function shows the bytes owned by objects that were allocated by "
        "the function or by its callees. The colour shows the largest part of these bytes. "
        "Callers are above their callees.",
        view=lambda width: _view(width, cells, root.size, unit),
        titles=("stack, from the outermost function", "owned", "largest part"),
        rows=[
            [
                f"{'· ' * depth}{node.name}",
                format_bytes(node.size),
                node.largest_part,
            ]
            for node, depth, _ in cells
        ],
        left=(0, 2),
    )


def tree_of(stacks: Stacks) -> Node:
    """Return the tree of all stacks, of at most DEPTH rows. Its root is the whole footprint."""
    root, own = Node("footprint"), dict[Frame, str | None]()
    for frames, figures in stacks.rows():
        if frames[-1] == NO_OBJECT:
            parts, names = {frames[0].function.strip("[]"): figures["owned"]}, [frames[0].function]
        else:
            pinned, rounding = figures["pinned"], figures["rounding"]
            # Unlike `rounding`, `owned` excludes bytes that are not resident: live can be negative.
            live = figures["owned"] - pinned - rounding
            parts = {"live": max(live, 0), "rounding": rounding + min(live, 0), "pinned": pinned}
            names = _names(frames, own)
        node = root
        node.add(parts)
        for name in names:
            node = node.children.get(name) or node.children.setdefault(name, Node(name))
            node.add(parts)
    while depth_of(root) > DEPTH and _shorten(root):
        pass
    return root


def _names(frames: Sequence[Frame], labels: dict[Frame, str | None]) -> list[str]:
    """Return the names of a stack's own frames, the outermost first.

    Own frames belong to the program, not to the allocator or a runtime. If a stack has no own
    frame, returns the name of its innermost frame. Recursive calls of a function at the same line
    are one frame. `labels` caches the name of each own frame, and None for each other frame.
    """
    for frame in frames:
        if frame not in labels:
            labels[frame] = frame.label if rank_of(frame) == Rank.OWN else None
    own = [labels[frame] for frame in reversed(frames)]
    names = [name for name in own if name is not None] or [frames[0].label]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def depth_of(node: Node) -> int:
    """Return the number of rows of a tree."""
    depth, row = 0, [node]
    while row:
        depth, row = depth + 1, [child for each in row for child in each.children.values()]
    return depth


def _shorten(root: Node) -> bool:
    """Leave out each function that calls only one other; the called function takes its place.

    Returns whether any was left out. If none was, leaves out the functions below row DEPTH.
    """
    stack, is_changed = [(root, 0)], False
    while stack:
        node, depth = stack.pop()
        for name, child in [*node.children.items()]:
            grandchild = next(iter(child.children.values()), child)
            is_alone = len(child.children) == 1 and grandchild.size == child.size
            if is_alone and (grandchild.name == name or grandchild.name not in node.children):
                del node.children[name]
                node.children[grandchild.name] = grandchild
                child, is_changed = grandchild, True
            stack.append((child, depth + 1))
    if not is_changed:
        _cut_below(root)
    return is_changed


def _cut_below(root: Node) -> None:
    """Leave out all functions below row DEPTH."""
    row = [root]
    for _ in range(DEPTH - 1):
        row = [child for each in row for child in each.children.values()]
    for each in row:
        each.children.clear()


def _cells(node: Node, depth: int, start: int, least: int) -> Iterator[tuple[Node, int, int]]:
    """Yield (node, row, first byte) of each cell of at least `least` bytes."""
    yield node, depth, start
    for child in sorted(node.children.values(), key=_order):
        if child.size >= least:
            yield from _cells(child, depth + 1, start, least)
        start += child.size


def _largest(cells: list[tuple[Node, int, int]]) -> list[tuple[Node, int, int]]:
    """Return the largest cells, at most MAX_CELLS, in the order of `cells`."""
    # A caller is at least as large as its callees, so no cell loses its caller.
    if len(cells) <= MAX_CELLS:
        return cells
    sizes = sorted((node.size for node, _, _ in cells), reverse=True)
    return [cell for cell in cells if cell[0].size > sizes[MAX_CELLS]]


def _order(node: Node) -> tuple[bool, int, str]:
    """Return a sort key: the largest function first, and bytes that no object owns last."""
    return node.name.startswith("["), -node.size, node.name


def _view(width: int, cells: Sequence[tuple[Node, int, int]], total: int, unit: Unit) -> View:
    """Return the view."""
    data: list[dict[str, Any]] = [
        {
            "row": depth,
            "from": unit.of(start),
            "to": unit.of(start + node.size),
            "middle": unit.of(start) + 4 * unit.of(total) / width,
            "name": cut(node.name, width * node.size / max(total, 1) - 10),
            "part": node.largest_part,
        }
        for node, depth, start in cells
    ]
    rows = 1 + max(depth for _, depth, _ in cells)
    y = rows_axis(rows)
    scale = {"domain": [0, unit.of(total)], "nice": False}
    names = in_order(each["part"] for each in data)
    boxes = {
        "mark": {"type": "rect", "stroke": PAPER.light, "strokeWidth": 1},
        "encoding": {
            "x": bytes_axis("from", unit, width, scale=scale),
            "x2": {"field": "to"},
            "y": y,
            "color": part_colours(names, width),
        },
    }
    labels = {
        "mark": {"type": "text", "align": "left", "color": INK_ON_PART.light},
        "encoding": {
            "x": {"field": "middle", "type": "quantitative"},
            "y": y,
            "text": {"field": "name"},
        },
    }
    return {
        "width": width,
        "height": STEP * rows,
        "data": {"values": data},
        "layer": [boxes, labels],
    }
