"""The roles and databases of the embedded PostgreSQL, and their passwords."""

import json
import secrets
from pathlib import Path

from sqlalchemy import URL

from pipeline.private import write_file
from pipeline.resources import SQL

SUPERUSER, CIS, EXTRACT, PIPELINE, READER = (
    "postgres",
    "gridgrade_cis",
    "gridgrade_extract",
    "gridgrade_pipeline",
    "gridgrade_reader",
)
CONSOLE = "gridgrade_console"  # nobody logs in as it: who the console's pages read as

_DATABASES = (
    # name, owner, who else may connect
    ("source", CIS, EXTRACT),
    ("warehouse", PIPELINE, READER),
)

_READ_ONLY_SOURCE = f"""
grant usage on schema public to {EXTRACT};
alter default privileges for role {CIS} grant usage on schemas to {EXTRACT};
alter default privileges for role {CIS} grant select on tables to {EXTRACT};
"""


def passwords_path(folder: Path) -> Path:
    """The file of the cluster's folder that holds each role's password."""
    return folder / "credentials.json"


def make_passwords(folder: Path) -> dict[str, str]:
    """New passwords, one a role, kept in a file of the cluster's folder that only its owner can read."""
    passwords = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, CIS, EXTRACT, PIPELINE, READER)}
    write_file(passwords_path(folder), json.dumps(passwords, indent=2))
    return passwords


def read_passwords(folder: Path) -> dict[str, str]:
    """The password of each role."""
    return json.loads(passwords_path(folder).read_text())


def create_roles_and_databases(folder: Path, superuser: URL) -> None:
    """Create what the cluster of a folder lacks, once. Safe to repeat after a kill half-way."""
    done = folder / "roles-and-databases-2.done"
    if done.exists():
        return
    import psycopg

    def connect(database: str) -> psycopg.Connection:
        url = superuser.set(drivername="postgresql", database=database)
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)

    with connect("postgres") as connection:
        passwords = read_passwords(folder)
        roles = {name for (name,) in connection.execute("select rolname from pg_roles")}
        for role in (CIS, EXTRACT, PIPELINE, READER):
            verifier = connection.pgconn.encrypt_password(
                passwords[role].encode(), role.encode(), b"scram-sha-256"
            ).decode()
            verb = "alter" if role in roles else "create"
            connection.execute(f"{verb} role {role} login nosuperuser nocreatedb nocreaterole password '{verifier}'")
        if CONSOLE not in roles:
            connection.execute(f"create role {CONSOLE} nologin")
        connection.execute(f"grant {CONSOLE} to {PIPELINE}")
        existing = {name for (name,) in connection.execute("select datname from pg_database")}
        for database, owner, guest in _DATABASES:
            if database not in existing:
                connection.execute(f"create database {database} owner {owner}")
            connection.execute(f"revoke all on database {database} from public")
            connection.execute(f"grant connect on database {database} to {guest}")
    for database, _, _ in _DATABASES:
        with connect(database) as connection:
            connection.execute("revoke all on schema public from public")
            if database == "source":
                connection.execute(f"grant all on schema public to {CIS}")
                connection.execute(_READ_ONLY_SOURCE)
            else:
                connection.execute((SQL / "warehouse" / "reader_limits.sql").read_text(encoding="utf-8"))
    done.touch(mode=0o600)
