"""Which records a rating of a month may know."""

from enum import StrEnum

from pipeline.errors import ConfigError


class Basis(StrEnum):
    """``AS_KNOWN_THEN``: recorded before the cut-off. ``AS_KNOWN_NOW``: whenever recorded; a restatement."""

    AS_KNOWN_THEN = "as_known_then"
    AS_KNOWN_NOW = "as_known_now"

    @classmethod
    def parse(cls, text: str) -> "Basis":
        """ConfigError where the text names no basis."""
        try:
            return cls(text)
        except ValueError:
            raise ConfigError(f"{text!r} is not a basis: choose {' or '.join(cls)}") from None
