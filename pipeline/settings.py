"""Where things are: source, lake, warehouse, from the environment. Reading a setting starts nothing."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from pipeline import resources
from pipeline.errors import ConfigError, first_fault

_PSYCOPG = "postgresql+psycopg"
_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "oracle": "oracle+oracledb",
    "mssql": "mssql+pyodbc",
}


class Settings(BaseSettings):
    """Read from GRIDGRADE_* variables. Files live under ``home``, by default in the checkout or, installed, in the
    working directory; databases that are not named here are embedded ones that ``pipeline.local`` starts.

    ``source_url`` and ``warehouse_url`` are SQLAlchemy URLs. ``memory_limit`` bounds the engine (DuckDB notation),
    ``threads`` its parallelism (None: all cores). ``project`` is the utility's own folder (see
    ``pipeline.resources``), and its policy the default of ``policy``. ``webhook_*``, ``smtp_url`` and ``mail_from`` are
    read by ``pipeline.actions.channels.configuration``.
    """

    model_config = SettingsConfigDict(env_prefix="GRIDGRADE_", frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Field(default_factory=resources.default_home)
    project: Path | None = None
    source_url: SecretStr | None = None
    warehouse_url: SecretStr | None = None
    lake: Path | None = None
    policy: Path | None = Field(default_factory=resources.project_policy)
    engine: Literal["duckdb"] = "duckdb"
    threads: Annotated[int, Field(ge=1)] | None = None
    memory_limit: str = "2500MB"
    webhook_url: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    smtp_url: SecretStr | None = None
    mail_from: str | None = None

    _source_owner_url: SecretStr | None = PrivateAttr(default=None)

    @field_validator("home", "project", "lake", "policy")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().absolute()

    @field_validator("project")
    @classmethod
    def _is_folder(cls, path: Path | None) -> Path | None:
        if path and not path.is_dir():
            raise ValueError(f"{path} is not a folder; gridgrade init {path} makes it")
        return path

    @field_validator("memory_limit")
    @classmethod
    def _is_size(cls, text: str) -> str:
        if not re.fullmatch(r"\d+(\.\d+)? ?[KMGT]i?B", text, re.IGNORECASE):
            raise ValueError(f"{text!r} is not a size, for example 2500MB")
        return text

    @classmethod
    def load(cls, **overrides) -> "Settings":
        """The settings of this process; a value that cannot be used is a ConfigError."""
        try:
            return cls(**overrides)
        except ValidationError as error:
            where, what = first_fault(error)
            raise ConfigError(f"GRIDGRADE_{where.partition('.')[0].upper()}: {what}") from None

    @property
    def lake_path(self) -> Path:
        return self.lake or self.home / "lake"

    @property
    def data_docs_path(self) -> Path:
        return self.home / "data_docs"

    @property
    def reports_path(self) -> Path:
        return self.home / "reports"

    @property
    def model_cards_path(self) -> Path:
        return self.home / "model_cards"

    @property
    def scratch_path(self) -> Path:
        """Room for what does not fit in memory."""
        return self.home / "scratch"

    @property
    def source(self) -> URL:
        """The billing system, for reading. ConfigError where none is named, or no synchronous driver is installed."""
        url = _url("GRIDGRADE_SOURCE_URL", self.source_url)
        instead = _DRIVERS.get(url.get_backend_name())
        try:
            dialect = url.get_dialect()
            dialect.import_dbapi()
        except (NoSuchModuleError, ImportError):
            if url.get_backend_name() == "postgresql":
                raise ConfigError(
                    f"GRIDGRADE_SOURCE_URL names {url.drivername}, for which no driver is installed: write postgresql://..."
                ) from None
            raise ConfigError(
                f"GRIDGRADE_SOURCE_URL is a {url.drivername} database, for which no driver is installed: pip install "
                + (f"{instead.split('+')[1]} and write {instead}://..." if instead else "one that SQLAlchemy can use")
            ) from None
        if dialect.is_async:
            raise ConfigError(
                f"GRIDGRADE_SOURCE_URL names {url.drivername}, an asynchronous driver: write "
                f"{instead or url.get_backend_name()}://..."
            )
        return url

    @property
    def source_owner(self) -> URL:
        """The billing system, for ``gridgrade source load|sample``, the only writers."""
        return _url("GRIDGRADE_SOURCE_URL", self._source_owner_url) if self._source_owner_url else self.source

    @property
    def warehouse(self) -> URL:
        """The warehouse, as the role that owns its schemas, by psycopg whatever driver is named. ConfigError where none
        is named, or with an option that psycopg does not know."""
        url = _url("GRIDGRADE_WAREHOUSE_URL", self.warehouse_url)
        if url.get_backend_name() != "postgresql":
            return url
        import psycopg
        from psycopg.conninfo import make_conninfo

        try:
            make_conninfo(**{name: str(value) for name, value in url.query.items()})
        except psycopg.ProgrammingError as error:
            raise ConfigError(f"GRIDGRADE_WAREHOUSE_URL: {str(error).strip()}; see PostgreSQL's parameters") from None
        return url.set(drivername=_PSYCOPG)

    def with_databases(self, *, source: URL, source_owner: URL, warehouse: URL) -> "Settings":
        """These settings, with databases in place of those that are not named."""
        named = {
            "source_url": self.source_url or _secret(source),
            "warehouse_url": self.warehouse_url or _secret(warehouse),
        }
        found = self.model_copy(update=named)
        found._source_owner_url = None if self.source_url else _secret(source_owner)
        return found


def _secret(url: URL) -> SecretStr:
    return SecretStr(url.render_as_string(hide_password=False))


def _url(name: str, secret: SecretStr | None) -> URL:
    """The address; what cannot be one is refused without a part of it being said: any may be of the password."""
    if secret is None:
        raise ConfigError(f"{name} is not set: name the database, for example postgresql://user:password@host/db")
    try:
        url = make_url(secret.get_secret_value().strip())
    except (ArgumentError, ValueError):  # ValueError: of the port
        raise ConfigError(f"{name} is not a SQLAlchemy URL, for example postgresql://user:password@host/db") from None
    if "@" in "".join([url.host or "", *url.query]) or (url.host and "@" in (url.database or "")):
        raise ConfigError(f"{name} has an @ too many: in a user's name or a password write @ as %40 and / as %2F")
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername=_PSYCOPG)
    return url
