"""Where things are: source, lake, warehouse, from the environment. Reading a setting starts nothing."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SecretsSettingsSource, SettingsConfigDict, SettingsError
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
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]i?B)", re.IGNORECASE)
_SPARK = re.compile(r"local(\[(\d+|\*)\])?|yarn|(spark|k8s|sc)://\S+")

PACKAGES = {"s3": "s3fs", "abfs": "adlfs", "gs": "gcsfs"}
"""By scheme, the package that speaks to the store; the extra of ours that installs it has the scheme's name."""


class Settings(BaseSettings):
    """Read from GRIDGRADE_* variables. Files live under ``home``, by default in the checkout or, installed, in the
    working directory; databases that are not named here are embedded ones that ``pipeline.local`` starts.

    What no variable says is looked for in the folder ``secrets``: ``gridgrade_source_url`` there holds ``source_url``.

    ``source_url`` and ``warehouse_url`` are SQLAlchemy URLs. ``memory_limit`` bounds the engine of all steps of a month
    that run at once (DuckDB notation), ``threads`` the parallelism of each (None: all cores). ``spark`` is where Spark
    runs: a master or ``sc://host:port`` (None: in this process, within both). ``lake`` is a folder, or the URL of a
    bucket and prefix, without credentials: those its own client finds. ``scratch`` is a folder of its own for what
    does not fit in memory (None: under ``home``). ``project`` is the utility's own folder (see ``pipeline.resources``),
    and its policy the default of ``policy``. ``webhook_*``, ``smtp_url`` and ``mail_from`` are read by
    ``pipeline.actions.channels.configuration``.
    """

    model_config = SettingsConfigDict(env_prefix="GRIDGRADE_", frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Field(default_factory=resources.default_home)
    secrets: Path | None = None
    project: Path | None = None
    source_url: SecretStr | None = None
    warehouse_url: SecretStr | None = None
    lake: Path | str | None = None
    scratch: Path | None = None
    policy: Path | None = Field(default_factory=resources.project_policy)
    engine: Literal["duckdb", "spark"] = "duckdb"
    spark: SecretStr | None = None
    threads: Annotated[int, Field(ge=1)] | None = None
    memory_limit: str = "2500MB"
    webhook_url: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    smtp_url: SecretStr | None = None
    mail_from: str | None = None

    _source_owner_url: SecretStr | None = PrivateAttr(default=None)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings, env_settings, dotenv_settings, file_secret_settings
    ) -> tuple:
        folder = Path(os.environ.get("GRIDGRADE_SECRETS") or "/dev/null").expanduser()
        secrets = (SecretsSettingsSource(settings_cls, secrets_dir=folder),) if folder.is_dir() else ()
        return init_settings, env_settings, *secrets

    @field_validator("home", "scratch", "secrets", "project", "policy")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().absolute()

    @field_validator("lake")
    @classmethod
    def _folder_or_url(cls, lake: Path | str | None) -> Path | str | None:
        if lake is None:
            return None
        return _checked(str(lake)) if is_url(lake) else Path(lake).expanduser().absolute()

    @field_validator("project", "secrets")
    @classmethod
    def _is_folder(cls, path: Path | None, setting: ValidationInfo) -> Path | None:
        if path and not path.is_dir():
            made = f"; gridgrade init {path} makes it" if setting.field_name == "project" else ""
            raise ValueError(f"{path} is not a folder{made}")
        return path

    @field_validator("memory_limit")
    @classmethod
    def _is_size(cls, text: str) -> str:
        if not _SIZE.fullmatch(text):
            raise ValueError(f"{text!r} is not a size, for example 2500MB")
        return text

    @field_validator("spark")
    @classmethod
    def _is_spark(cls, where: SecretStr | None) -> SecretStr | None:
        if where and not _SPARK.fullmatch(where.get_secret_value()):
            raise ValueError("write local[2], spark://host:7077, yarn, k8s://https://host:6443 or sc://host:15002")
        return where

    @classmethod
    def load(cls, **overrides) -> "Settings":
        """The settings of this process; a value that cannot be used is a ConfigError."""
        try:
            return cls(**overrides)
        except ValidationError as error:
            where, what = first_fault(error)
            raise ConfigError(f"GRIDGRADE_{where.partition('.')[0].upper()}: {what}") from None
        except (OSError, SettingsError) as error:
            raise ConfigError(f"GRIDGRADE_SECRETS: a file of that folder cannot be read: {error}") from None

    def with_memory(self, share: float) -> Self:
        """These settings with a share of the memory."""
        if share == 1:
            return self
        [(size, unit)] = _SIZE.findall(self.memory_limit)
        return self.model_copy(update={"memory_limit": f"{float(size) * share:.2f}{unit}"})

    @property
    def lake_path(self) -> Path | str:
        """A folder, or the URL of a prefix in an object store."""
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
        return self.scratch or self.home / "scratch"

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


def is_url(where: object) -> bool:
    return isinstance(where, str) and "://" in where


def _checked(url: str) -> str:
    """The URL without a slash at its end; ValueError, which repeats nothing of it, where it cannot name a lake."""
    scheme, _, rest = url.strip().partition("://")
    if scheme not in PACKAGES:
        raise ValueError(f"write a folder, or {', '.join(f'{name}://...' for name in PACKAGES)}")
    container, _, prefix = rest.partition("/")
    user, at, _ = container.rpartition("@")
    if ":" in user or (at and scheme != "abfs") or "?" in rest:
        raise ValueError(
            f"has credentials in it: write {scheme}://bucket/prefix, and let the store's own variables hold them "
            "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3)"
        )
    if not container or not re.fullmatch(r"[\w.@-]+", container) or not re.fullmatch(r"[\w./=+-]*", prefix):
        raise ValueError(f"write {scheme}://bucket/prefix, of letters, digits and ._-")
    return f"{scheme}://{container}/{prefix}".rstrip("/")
