"""Text from the billing system, made safe to show: on a terminal, on a page or in a letter, and in a file that a
spreadsheet opens."""

import re

# Controls (C0, C1), separators of lines and paragraphs, direction marks and overrides, surrogates that stand alone.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")  # as a spreadsheet would begin one
_NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?")


def visible(text: object) -> str:
    r"""The text with controls, line ends and direction marks as escapes (``\x1b``, ``\n``, ``\u202e``)."""
    return _INVISIBLE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode("ascii"), str(text))


def spreadsheet_safe(text: str) -> str:
    """The text of a CSV cell, ``visible``, with an apostrophe before what a spreadsheet would work out as a formula.

    A plain number keeps its sign. Source: OWASP, CSV injection.
    """
    is_formula = _FORMULA.match(text) and not _NUMBER.fullmatch(text)
    return f"'{visible(text)}" if is_formula else visible(text)


def finalize(value: object) -> object:
    """For templates: plain text ``visible``, and anything else (markup of ours, numbers) as it is."""
    return visible(value) if type(value) is str else value
