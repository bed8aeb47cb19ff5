"""How a database is connected to."""

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import NullPool


def connect(url: URL) -> Engine:
    """A SQLAlchemy engine that keeps no idle connection behind."""
    arguments = {}
    if url.get_driver_name() == "pymysql" and url.password is not None:
        arguments["password"] = str(url.password).encode()  # of text, the driver takes Latin-1 alone
    return create_engine(url, poolclass=NullPool, connect_args=arguments)
