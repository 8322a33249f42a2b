"""`allocsim help`."""

from __future__ import annotations

from importlib.resources import files

import click

from allocsim.cli.completion import complete_topic
from allocsim.cli.topics import TOPICS


@click.command("help")
@click.argument("topic", required=False, shell_complete=complete_topic)
def command(topic: str | None) -> None:
    """Show a help page about a topic.

    Without TOPIC, lists the topics. `allocsim COMMAND --help` describes a command.
    """
    formatter = click.get_current_context().make_formatter()
    if topic is None:
        formatter.write_text("Topics of `allocsim help TOPIC`:")
        with formatter.indentation():
            formatter.write_dl([*TOPICS.items()])
    elif topic in TOPICS:
        _write_page(formatter, topic)
    else:
        from allocsim.errors import UnknownName

        raise UnknownName("topic", topic, TOPICS)
    click.echo(formatter.getvalue(), nl=False)


def _write_page(formatter: click.HelpFormatter, topic: str) -> None:
    """Lay out a page of paragraphs, lists of `name  description`, and examples.

    A list is a block indented by two spaces, with two spaces after each name. An example is a block
    indented by four spaces, and is written unchanged.
    """
    page = files("allocsim.cli.topics").joinpath(f"{topic}.txt").read_text("utf-8")
    for number, block in enumerate(page.strip("\n").split("\n\n")):
        if number:
            formatter.write_paragraph()
        if block.startswith("    "):
            formatter.write(block + "\n")
        elif block.startswith("  "):
            rows = [line.strip().split("  ", 1) for line in block.splitlines()]
            with formatter.indentation():
                formatter.write_dl([(name, text.strip()) for name, text in rows])
        else:
            formatter.write_text(" ".join(block.split()))
