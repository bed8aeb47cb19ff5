"""How a model is written down: one JSON object with a format number and a kind, finite numbers only."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.scorecard.errors import ModelFitError

FORMAT = 3  # 3 knows piecewise linear calibrations; 2 bins, sentinels, shrinkage and monitoring; 1 none of them
READABLE = (1, 2, 3)


def kind_of(document: dict[str, Any]) -> str | None:
    """The kind a stored model says it is; another format is a ModelFitError."""
    found = document.get("format") if isinstance(document, dict) else type(document).__name__
    if found not in READABLE:
        raise ModelFitError(f"a stored model of format {READABLE[0]} to {READABLE[-1]} is expected, not {found!r}")
    return document.get("kind")


@contextmanager
def reading(document: dict[str, Any], kind: str) -> Iterator[None]:
    """Refuse a document of another format or kind, and name what is missing or malformed while it is read."""
    found = kind_of(document)
    if found != kind:
        raise ModelFitError(f"the stored model is of kind {found!r}, not {kind!r}")
    try:
        json.dumps(document, allow_nan=False)
        yield
    except KeyError as error:
        raise ModelFitError(f"the stored model lacks {error}") from None
    except ModelFitError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelFitError(f"the stored model cannot be read: {error}") from None
