"""Values as text, and the templates: everything is escaped, and text from the source keeps to its own direction."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.month import RatingMonth

FOLDER = Path(__file__).parent
DASH = "–"


def number(value: float | Decimal | None, digits: int = 0) -> str:
    """With thousands apart."""
    return DASH if value is None else f"{value:,.{digits}f}"


def signed(value: float | Decimal | None, digits: int = 0) -> str:
    """With its sign, a true minus; nothing at all is 0."""
    if value is None:
        return DASH
    text = f"{value:+,.{digits}f}"
    return text.replace("-", "−") if any(digit in text for digit in "123456789") else f"{0:.{digits}f}"


def percent(value: float | Decimal | None, digits: int = 1) -> str:
    return DASH if value is None else f"{value:.{digits}%}"


def as_month(value: date | RatingMonth | None) -> str:
    return DASH if value is None else f"{value.year:04d}-{value.month:02d}"


def instant(value: datetime | None, zone: str) -> str:
    return DASH if value is None else f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def words(value: str | None) -> str:
    """A code as words: ``arrears_rebate`` is arrears rebate."""
    return DASH if value is None else value.replace("_", " ")


def url(path: str, **query: Any) -> str:
    """A relative address: the page may stand behind any prefix."""
    given = {name: as_month(value) if isinstance(value, RatingMonth) else value for name, value in query.items()}
    given = {name: value for name, value in given.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(given)}" if given else path


def shade(count: int, total: int) -> int:
    """Ten steps of a heat map, 0 for nothing; a share of a hundredth already shows."""
    share = count / total if total else 0
    return 0 if not count else next(step for step in range(1, 11) if share <= (step / 10) ** 2)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: Mapping[str, Any] = {
        "number": number,
        "signed": signed,
        "percent": percent,
        "as_month": as_month,
        "instant": instant,
        "words": words,
    }
    environment.filters.update(filters)
    environment.globals.update(url=url, shade=shade, dash=DASH)
    return environment


TEMPLATES = _environment()
