"""Templates of pages: everything that comes from elsewhere is escaped, and a name that is missing is an error."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.pages import palette
from pipeline.text import finalize


@cache
def environment(folder: Path) -> Environment:
    """Templates of a folder, which may import ``parts.html`` of this one.

    ``style`` in them is the style of every page, colours and all.
    """
    made = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["style"] = style()
    return made


def style() -> Markup:
    """CSS of every page, for a style element or a file of its own."""
    return Markup(palette.variables() + Path(__file__).with_name("style.css").read_text(encoding="utf-8"))  # noqa: S704 ours
