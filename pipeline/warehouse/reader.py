"""The warehouse for those who may only read: the console's pages.

The role ``gridgrade_console`` may select from rating, ops and report and nothing else (sql/warehouse/grants.sql). Where
the administrator has not made it, PostgreSQL still refuses every write, as the transactions are read-only.
"""

from functools import lru_cache

from sqlalchemy import URL, text

from pipeline.database import connect
from pipeline.settings import Settings
from pipeline.warehouse.connection import warehouse_url

ROLE = "gridgrade_console"


def reading(settings: Settings) -> Settings:
    """The same settings, whose warehouse cannot be written to."""
    url = warehouse_url(settings)
    options = ["-cdefault_transaction_read_only=on"]
    if _may_be_reader(url):
        options.append(f"-crole={ROLE}")
    given = url.query.get("options", ())
    # A tab parts them: an address in libpq's notation would not bring a space through.
    joined = "\t".join([given] if isinstance(given, str) else [*given]) + "\t" + "\t".join(options)
    readable = url.update_query_dict({"options": joined.strip()}).render_as_string(hide_password=False)
    return Settings.load(**dict(settings) | {"warehouse_url": readable})


def has_reader(settings: Settings) -> bool:
    """Whether the role is there, and ours to take."""
    return _may_be_reader(warehouse_url(settings))


@lru_cache(maxsize=8)
def _may_be_reader(url: URL) -> bool:
    query = text("select exists (select from pg_roles where rolname = :role and pg_has_role(oid, 'member'))")
    with connect(url).connect() as connection:
        return bool(connection.execute(query, {"role": ROLE}).scalar_one())
