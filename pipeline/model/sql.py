"""A model as one SQL expression, in what DuckDB and PostgreSQL have in common."""

DIALECTS = ("duckdb", "postgresql")
QUANTITIES = ("score", "default_probability", "log_odds")


def checked(dialect: str, quantity: str) -> None:
    """ModelFitError for what there is no expression of."""
    raise NotImplementedError


def identifier(name: str) -> str:
    """A column's name, quoted."""
    return '"' + name.replace('"', '""') + '"'
