"""The options --html, --svg and --png, which several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from allocsim.cli.output import export
from allocsim.cli.output_files import OutputType

Command = TypeVar("Command", bound=Callable[..., Any])

PICTURES = ("html", "svg", "png")
"""The names of the options."""


def picture_options(command: Command) -> Command:
    """Add the picture options to a command, which gets them as `html`, `svg` and `png`."""
    for name, text in (
        ("png", "Write the pictures of the report to a PNG file"),
        ("svg", "Write the pictures of the report to an SVG file"),
        ("html", "Write the report with pictures to a self-contained HTML file"),
    ):
        help_text = f"{text}; needs allocsim[pictures]."
        command = click.option(f"--{name}", type=OutputType(), help=help_text)(command)
    return command


def require_renderer_for(options: Mapping[str, Any]) -> bool:
    """Return whether the options name a picture file to write.

    Raises EnvironmentLacks if they do and the renderer is missing.
    """
    if all(options[name] is None for name in PICTURES):
        return False
    from allocsim.pictures.render import require_renderer

    require_renderer()
    return True


def export_pictures(options: Mapping[str, Any], make_page: Callable[[], Any]) -> None:
    """Write the picture files that the options name. If they name none, no page is made."""
    if not require_renderer_for(options):
        return
    from allocsim.pictures.page import all_in_one, html_of
    from allocsim.pictures.render import png_of, svg_of

    page = make_page()
    export(
        [
            (options["html"], lambda: html_of(page)),
            (options["svg"], lambda: svg_of(all_in_one(page))),
            (options["png"], lambda: png_of(all_in_one(page))),
        ]
    )
