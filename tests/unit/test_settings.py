"""Where things are: the environment, and what lies under GRIDGRADE_HOME without it."""

from pathlib import Path

import pytest

from pipeline.engine import open_engine
from pipeline.errors import ConfigError
from pipeline.resources import ROOT
from pipeline.settings import Settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GRIDGRADE_{name.upper()}", raising=False)


def test_with_nothing_set_everything_lies_in_the_checkout():
    settings = Settings.load()
    assert settings.home == ROOT / ".gridgrade"
    for path in (settings.lake_path, settings.data_docs_path, settings.scratch_path):
        assert path.parent == settings.home
    assert (settings.source_url, settings.warehouse_url, settings.policy, settings.threads) == (None, None, None, None)


def test_the_environment_decides_and_an_empty_variable_does_not(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRIDGRADE_HOME", "somewhere")
    monkeypatch.setenv("GRIDGRADE_LAKE", "~/lake")
    monkeypatch.setenv("GRIDGRADE_SCRATCH", "shared/scratch")
    monkeypatch.setenv("GRIDGRADE_POLICY", "")
    monkeypatch.setenv("GRIDGRADE_THREADS", "1")
    settings = Settings.load()
    assert settings.home == tmp_path / "somewhere"
    assert settings.lake_path == Path.home() / "lake"
    assert settings.scratch_path == tmp_path / "shared" / "scratch"
    assert (settings.policy, settings.threads) == (None, 1)


@pytest.mark.parametrize(("limit", "third"), [("2500MB", "833.33MB"), ("3 GiB", "1.00GiB"), ("1.5gb", "0.50gb")])
def test_a_share_of_the_memory_is_one_the_engine_can_read(limit, third, tmp_path):
    settings = Settings.load(home=tmp_path, memory_limit=limit)
    assert settings.with_memory(1) == settings
    assert settings.with_memory(1 / 3).memory_limit == third
    with open_engine(settings.with_memory(1 / 3)):
        pass


@pytest.mark.parametrize("name", ["source", "warehouse"])
def test_reading_a_setting_starts_nothing(name, tmp_path):
    settings = Settings.load(home=tmp_path / "home")
    with pytest.raises(ConfigError, match=f"GRIDGRADE_{name.upper()}_URL is not set: name the database"):
        getattr(settings, name)
    assert not settings.home.exists()


def test_a_postgresql_address_is_read_by_psycopg_whatever_it_calls_itself():
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        settings = Settings.load(source_url=f"{scheme}://u:p@h/db", warehouse_url=f"{scheme}://u:p@h/wh")
        assert settings.source == settings.source_owner
        assert {settings.source.drivername, settings.warehouse.drivername} == {"postgresql+psycopg"}
    assert Settings.load(source_url="sqlite:///x.db").source.drivername == "sqlite"


def test_no_password_is_printed():
    settings = Settings.load(source_url="postgresql://u:s3cret@h/db", warehouse_url="postgresql://u:s3cret@h/wh")
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump()} {settings.source!r} {settings.warehouse}"


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("ENGINE", "abacus", "'duckdb'"),
        ("THREADS", "many", "valid integer"),
        ("THREADS", "0", "greater than or equal to 1"),
        ("MEMORY_LIMIT", "plenty", "'plenty' is not a size, for example 2500MB"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_line_that_names_the_variable(monkeypatch, name, value, fault):
    monkeypatch.setenv(f"GRIDGRADE_{name}", value)
    with pytest.raises(ConfigError) as raised:
        Settings.load()
    line = str(raised.value)
    assert line.startswith(f"GRIDGRADE_{name}: ")
    assert fault in line
    assert "\n" not in line


@pytest.mark.parametrize("name", ["source", "warehouse"])
def test_an_address_that_is_none_names_the_variable_and_keeps_it_secret(name):
    settings = Settings.load(**{f"{name}_url": "s3cret at the server"})
    with pytest.raises(ConfigError, match=f"GRIDGRADE_{name.upper()}_URL is not a SQLAlchemy URL") as raised:
        getattr(settings, name)
    assert "s3cret" not in str(raised.value)


BROKEN = {
    "postgresql://u:s3c@ret@h/db": "has an @ too many: in a user's name or a password write @ as %40 and / as %2F",
    "postgresql://u:s3c@h/x/ret@h/db": "has an @ too many",
    "postgresql://u:s3c@h/db?ret@h=1": "has an @ too many",
    "postgresql://u@h:s3cret/db": "is not a SQLAlchemy URL",
    "postgresql://u:s3cret@[::1/db": "is not a SQLAlchemy URL",
    "postgresql:/u:s3cret@h/db": "is not a SQLAlchemy URL",
}


@pytest.mark.parametrize("name", ["source", "warehouse"])
@pytest.mark.parametrize("address", BROKEN)
def test_no_part_of_an_address_that_is_broken_is_said(name, address):
    settings = Settings.load(**{f"{name}_url": address})
    with pytest.raises(ConfigError, match=f"^GRIDGRADE_{name.upper()}_URL {BROKEN[address]}") as raised:
        getattr(settings, name)
    assert not any(part in str(raised.value) for part in ("s3c", "ret"))


def test_a_file_of_a_secret_may_end_its_line_and_a_path_may_hold_an_at():
    assert Settings.load(source_url="postgresql://u:p@h/db\n").source.database == "db"
    assert Settings.load(source_url="sqlite:////a@b/x.db").source.database == "/a@b/x.db"


def test_the_warehouse_is_reached_by_psycopg_and_with_options_that_it_knows():
    for driver in ("asyncpg", "psycopg2", "nothing"):
        assert Settings.load(warehouse_url=f"postgresql+{driver}://h/db").warehouse.drivername == "postgresql+psycopg"
    with pytest.raises(ConfigError, match=r'GRIDGRADE_WAREHOUSE_URL: invalid connection option "sslmod"; see'):
        _ = Settings.load(warehouse_url="postgresql://h/db?sslmod=require").warehouse
    assert Settings.load(warehouse_url="postgresql://h/db?sslmode=require&application_name=x").warehouse.host == "h"


def test_what_no_variable_says_is_read_from_the_folder_of_secrets(monkeypatch, tmp_path):
    """A file each, with or without an end of line; in Kubernetes, each by way of a link."""
    monkeypatch.setenv("GRIDGRADE_SECRETS", str(tmp_path))
    (tmp_path / "..2026_10_31").mkdir()
    (tmp_path / "..2026_10_31" / "gridgrade_source_url").write_text("postgresql://u:s3cret@h/db\n")
    (tmp_path / "..data").symlink_to("..2026_10_31")
    (tmp_path / "gridgrade_source_url").symlink_to("..data/gridgrade_source_url")
    (tmp_path / "gridgrade_warehouse_url").write_text("postgresql://file@h/wh")
    (tmp_path / "another").write_text("of somebody else")
    monkeypatch.setenv("GRIDGRADE_WAREHOUSE_URL", "postgresql://variable@h/wh")
    settings = Settings.load()
    assert settings.source.password == "s3cret"
    assert settings.warehouse.username == "variable"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (lambda folder: None, "GRIDGRADE_SECRETS: .*/secrets is not a folder"),
        (
            lambda folder: (folder.mkdir(), (folder / "gridgrade_source_url").write_bytes(b"\xff\xfe")),
            "GRIDGRADE_SECRETS: a file of that folder cannot be read",
        ),
    ],
    ids=["not there", "not text"],
)
def test_a_folder_of_secrets_that_cannot_be_read_is_not_passed_over(monkeypatch, tmp_path, made, fault):
    made(tmp_path / "secrets")
    monkeypatch.setenv("GRIDGRADE_SECRETS", str(tmp_path / "secrets"))
    with pytest.raises(ConfigError, match=fault):
        Settings.load()


def test_a_project_brings_its_policy_unless_another_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path))
    assert Settings.load().policy is None
    (tmp_path / "policy.yaml").write_text("{}")
    assert (Settings.load().project, Settings.load().policy) == (tmp_path, tmp_path / "policy.yaml")
    monkeypatch.setenv("GRIDGRADE_POLICY", str(tmp_path / "other.yaml"))
    assert Settings.load().policy == tmp_path / "other.yaml"


def test_a_project_that_is_not_there_is_not_passed_over(monkeypatch, tmp_path):
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"GRIDGRADE_PROJECT: .*/nowhere is not a folder; gridgrade init"):
        Settings.load()
