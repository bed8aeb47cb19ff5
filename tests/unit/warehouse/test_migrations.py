"""Migrations: from nothing to up to date, by any number at once; views follow their text."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from pipeline.errors import ConfigError, WarehouseUnavailableError
from pipeline.resources import SQL
from pipeline.settings import Settings
from pipeline.warehouse import migrations
from pipeline.warehouse.tables.index_columns import ensure_index_columns


@pytest.fixture
def empty(postgres, settings, sql):
    """A warehouse nothing was ever done to."""
    sql("drop schema rating, ops, report cascade")
    return settings


def test_a_fresh_warehouse_says_what_is_pending_and_then_nothing(empty):
    names = migrations.pending(empty)
    assert names[0] == "0001_initial"
    assert "report.current_grades" in names
    assert migrations.migrate(empty) == names
    assert migrations.pending(empty) == migrations.migrate(empty) == []


def test_migrating_at_once_is_safe(empty):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(migrations.migrate, [empty] * 4))
    assert sorted(map(bool, done)) == [False, False, False, True]


def test_a_failed_migration_leaves_nothing(empty, sql, monkeypatch, tmp_path):
    (tmp_path / "warehouse" / "reports").mkdir(parents=True)
    (tmp_path / "warehouse" / "migrations").symlink_to(SQL / "warehouse" / "migrations")
    broken = tmp_path / "warehouse" / "reports" / "broken.sql"
    broken.write_text("-- One row nothing.\nselect * from rating.no_such_table")
    monkeypatch.setattr(migrations, "SQL", tmp_path)
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrations.migrate(empty)
    assert sql("select count(*) from information_schema.schemata where schema_name in ('rating', 'ops')") == [(0,)]


def test_a_view_follows_its_file(settings, sql, monkeypatch, tmp_path):
    folder = tmp_path / "sql"
    (folder / "warehouse" / "reports").mkdir(parents=True)
    for name in ("migrations", "grants.sql"):
        (folder / "warehouse" / name).symlink_to(SQL / "warehouse" / name)
    monkeypatch.setattr(migrations, "SQL", folder)
    report = folder / "warehouse" / "reports" / "models.sql"
    described = "columns: {version: It's a version}\nviews: {}\n"
    (report.parent / "columns.yaml").write_text(described)
    report.write_text("-- One row a model: it's small.\nselect version, status from rating.models")
    assert "report.models" in migrations.migrate(settings)
    assert sql("select col_description('report.models'::regclass, 1)") == [("It's a version",)]
    assert sql("select obj_description('report.models'::regclass)") == [("One row a model: it's small.",)]
    report.write_text("-- One row a model.\nselect version as name from rating.models where version like '%:a%'")
    assert migrations.pending(settings) == ["report.models"]
    migrations.migrate(settings)
    assert sql("select name from report.models") == []
    report.unlink()
    assert migrations.migrate(settings) == ["report.models"]
    with pytest.raises(psycopg.errors.UndefinedTable):
        sql("select * from report.models")


def test_readers_see_views_and_nothing_else(postgres, settings):
    url = postgres.warehouse_reader.set(drivername="postgresql", database=settings.warehouse.database)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as reader:
        reader.execute("select * from report.current_grades, report.grade_history, report.portfolio_summary")
        for statement in (
            "select * from rating.credit_grades",
            "select * from rating.models",
            "select * from ops.publications",
            "drop view report.current_grades",
            "create table report.mine (a int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)


def test_every_table_and_column_says_what_it_is(sql):
    silent = sql(
        """
        select c.relname, a.attname
        from pg_class as c
        inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace::regnamespace::text in ('rating', 'ops') and c.relkind in ('r', 'p')
            and c.relname <> 'migrations'
            and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)
        """
    )
    assert silent == []


def test_every_column_that_refers_to_another_table_has_an_index(sql):
    """Without one, removing a row of the other table reads this one from end to end."""
    unindexed = sql(
        """
        select f.conrelid::regclass::text, f.conname
        from pg_constraint as f
        where f.contype = 'f' and f.conparentid = 0
            and not exists (
                select
                from pg_index as i
                where i.indrelid = f.conrelid
                    and (i.indkey::smallint[])[0:cardinality(f.conkey) - 1] @> f.conkey
                    and coalesce(pg_get_expr(i.indpred, i.indrelid), '') ~ '^(|\\(\\w+ IS NOT NULL\\))$'
            )
        """
    )
    assert unindexed == []


def test_a_new_index_gets_its_columns_once_and_in_published_months_too(settings, sql, policy):
    sql("create table rating.month partition of rating.credit_indices for values from ('2026-01-01') to ('2026-02-01')")
    indices = {"moon_phase": policy.indices["arrears_ratio"], "arrears_ratio": policy.indices["arrears_ratio"]}
    assert ensure_index_columns(settings, indices) == ["moon_phase"]
    assert ensure_index_columns(settings, indices) == []
    assert sql("select moon_phase, moon_phase_band from rating.month") == []


def test_the_columns_of_indices_say_what_the_policy_says(settings, sql, policy):
    def comment():
        return dict(
            sql(
                "select attname, col_description(attrelid, attnum) from pg_attribute "
                "where attrelid = 'rating.credit_indices'::regclass and attname like 'arrears_ratio%'"
            )
        )

    index = policy.indices["arrears_ratio"]
    own = index.model_copy(update={"meaning": "what's overdue: 50% or :more", "window_months": 0})
    ensure_index_columns(settings, {"arrears_ratio": own})
    assert comment() == {
        "arrears_ratio": "P4: what's overdue: 50% or :more; average monthly bills.",
        "arrears_ratio_band": "Band of arrears_ratio, A best to D.",
    }
    ensure_index_columns(settings, policy.indices)
    assert comment()["arrears_ratio"] == f"P4: {index.meaning}; average monthly bills, 12 months."


@pytest.mark.parametrize("name", ["Moon", "x; drop table rating.models", "", "a" * 60])
def test_an_index_that_cannot_be_a_column_is_refused(settings, policy, name):
    with pytest.raises(ConfigError, match="cannot be a column"):
        ensure_index_columns(settings, {name: policy.indices["arrears_ratio"]})


def test_a_warehouse_that_is_away_is_one_line_without_the_password(tmp_path):
    settings = Settings(home=tmp_path, warehouse_url="postgresql://someone:s3cret@127.0.0.1:1/wh")
    with pytest.raises(WarehouseUnavailableError) as raised:
        migrations.pending(settings)
    message = str(raised.value)
    assert "127.0.0.1:1/wh" in message
    assert "GRIDGRADE_WAREHOUSE_URL" in message
    assert "s3cret" not in message
    assert "\n" not in message


def test_a_warehouse_that_is_newer_than_the_code_is_one_line_and_stays_as_it_is(settings, sql, gridgrade):
    sql("update ops.migrations set version_num = '9999_of_tomorrow'")
    for command in (("migrate",), ("rate", "2026-10"), ("actions", "list")):
        code, out, err = gridgrade(*command, settings=settings)
        assert (code, out, err.count("\n")) == (1, "", 1), command
        assert "was migrated by a newer gridgrade (9999_of_tomorrow, this one knows 0" in err
    assert sql("select version_num from ops.migrations") == [("9999_of_tomorrow",)]


def test_another_kind_of_database_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="sqlite database: the warehouse must be PostgreSQL"):
        migrations.pending(Settings(home=tmp_path, warehouse_url="sqlite://"))
