"""The statements of sql/warehouse: one PostgreSQL statement, or a part of several, in a file with a header comment."""

from functools import cache

from pipeline.errors import ConfigError
from pipeline.resources import SQL


def statement(name: str, **fragments: str) -> str:
    """The text of sql/warehouse/<name>.sql without its header; ``fragments`` are the SQL for its ``{slots}``.

    ConfigError where there is no such file.
    """
    return _read(name).format(**fragments)


@cache
def _read(name: str) -> str:
    try:
        text = (SQL / "warehouse" / f"{name}.sql").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"there is no sql/warehouse/{name}.sql: install gridgrade again") from None
    lines = text.splitlines()
    header = next((place for place, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return "\n".join(lines[header:]).strip()
