"""How a database is connected to."""

from functools import lru_cache
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import NullPool


def connect(url: URL, is_kept: bool = False) -> Engine:
    """A SQLAlchemy engine that keeps no idle connection behind, the same one for an address; ``is_kept``: one of the
    caller's own, which keeps connections until it is disposed of."""
    if is_kept:
        return create_engine(url, pool_pre_ping=True, connect_args=_arguments(url))
    return _engine(url)


@lru_cache(maxsize=16)
def _engine(url: URL) -> Engine:
    """What an engine asks of a server when it first connects takes longer than most transactions."""
    return create_engine(url, poolclass=NullPool, connect_args=_arguments(url))


def _arguments(url: URL) -> dict[str, bytes]:
    if url.get_driver_name() == "pymysql" and url.password is not None:
        return {"password": str(url.password).encode()}  # of text, the driver takes Latin-1 alone
    return {}


def without_password(text: str, url: URL) -> str:
    """A driver's words without the address's password, as it is and as an address writes it."""
    if not url.password:
        return text
    quoted = url.set(drivername="x").render_as_string(hide_password=False).split("@")[0].split(":", 2)[-1]
    return text.replace(quoted, "***").replace(str(url.password), "***")


def libpq_uri(url: URL) -> str:
    """A PostgreSQL URL as libpq reads it, for ADBC.

    SQLAlchemy leaves blanks in names and passwords, and writes those of options as ``+``; libpq takes neither.
    """

    def part(text: str) -> str:
        return quote(text, safe="")

    user = (
        f"{part(url.username)}{f':{part(str(url.password))}' if url.password is not None else ''}@"
        if url.username
        else ""
    )
    host = f"[{url.host}]" if url.host and ":" in url.host else part(url.host or "")
    port = f":{url.port}" if url.port else ""
    options = [
        (name, value) for name, given in url.query.items() for value in ([given] if isinstance(given, str) else given)
    ]
    query = "&".join(f"{part(name)}={part(value)}" for name, value in options)
    return f"postgresql://{user}{host}{port}/{part(url.database or '')}{'?' if query else ''}{query}"
