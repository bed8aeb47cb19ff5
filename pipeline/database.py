"""How a database is connected to."""

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import NullPool


def connect(url: URL) -> Engine:
    """A SQLAlchemy engine that keeps no idle connection behind."""
    return create_engine(url, poolclass=NullPool)
