"""Damage at a random place of lake or warehouse: the audit names it, and no grade is published that follows from it."""

import os
import random
import shutil

import psycopg
import pytest

from pipeline.cycle import rate_month
from pipeline.errors import GridgradeError
from pipeline.lake import MANIFEST
from pipeline.maintenance.audit import WRONG, Span, audit
from pipeline.sample import LAST, generate
from pipeline.source.write import replace_tables
from pipeline.warehouse.monthly_tables import TABLES
from tests.support.records.indices import MODELS, expert, register


@pytest.fixture(scope="module")
def rated(databases, policy, tmp_path_factory):
    """An installation with the month before the last rated; the content of the last one."""
    folder = tmp_path_factory.mktemp("rated")
    with databases(folder / "home") as settings:
        replace_tables(settings.source, generate(60, 14))
        for family, version in MODELS.items():
            register(settings, family, version, expert(policy, family))
        rate_month(LAST - 1, settings, policy, models=MODELS)
        with databases(folder / "undisturbed", like=settings) as undisturbed:
            content = rate_month(LAST, undisturbed, policy, models=MODELS)["publish"]["content_sha256"]
        yield settings, content


def harm_lake(settings, draw) -> str:
    """Damage a partition that has rows; its name."""
    lake = settings.lake_path
    manifests = [path for path in sorted(lake.glob(f"**/*_month=*/**/{MANIFEST}")) if [*path.parent.glob("*.parquet")]]
    folder = draw.choice(manifests).parent
    files = [folder / MANIFEST, *folder.glob("*.parquet")]
    path = draw.choice(files)
    content = bytearray(path.read_bytes())
    match draw.choice(["flip", "truncate", "delete", "swap", "add", "lose"]):
        case "flip":
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
            path.write_bytes(content)
        case "truncate":
            path.write_bytes(content[: draw.randrange(len(content))])
        case "delete":
            path.unlink()
        case "swap":
            other = draw.choice([each.parent for each in manifests if each.parent != folder])
            shutil.rmtree(folder)
            shutil.copytree(other, folder)
        case "add":
            shutil.copy(files[-1], folder / "part-9.parquet")
        case "lose" if folder.name.startswith("recorded_month") and "quarantine" not in folder.parts:
            shutil.rmtree(folder)
        case "lose":
            (folder / MANIFEST).unlink()
    if not (folder / MANIFEST).exists():
        for file in folder.glob("*.parquet"):
            os.utime(file, (0, 0))  # one of these days may be a living writer's
    return folder.relative_to(lake).as_posix()


def harm_warehouse(settings, draw) -> str:
    """Damage a published table or a model; its name."""
    month = LAST - 1
    url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        table = draw.choice([*TABLES, "models"])
        if table == "models":
            version = draw.choice(sorted(MODELS.values()))
            change = (
                "update rating.models set parameters = replace(parameters::text, '0.', '1.')::json where version = %s"
            )
            connection.execute(change, [version])
            return version
        name = f"{table}_{month.year}_{month.month:02d}_r1"
        rows = [row for (row,) in connection.execute(f"select ctid::text from rating.{name} order by 1")]
        row = draw.choice(rows)
        match draw.choice(["change", "exchange", "delete", "truncate", "drop", "detach"]):
            case "change":
                _change(connection, name, row, draw)
            case "exchange" if table == "credit_grades":
                connection.execute(f"update rating.{name} set score = 1200 - score")
            case "exchange" | "delete":
                connection.execute(f"delete from rating.{name} where ctid = %s::tid", [row])
            case "truncate":
                connection.execute(f"truncate rating.{name}")
            case "drop":
                connection.execute(f"drop table rating.{name}")
            case "detach":
                connection.execute(f"alter table rating.{table} detach partition rating.{name}")
    return name


def _change(connection, name, row, draw) -> None:
    """One value of a row, of a column that takes another."""
    kinds = connection.execute(
        "select attname, format_type(atttypid, null) from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 "
        "and not attisdropped and atttypid = any(%s::regtype[]) order by 1",
        [f"rating.{name}", ["text", "double precision", "bigint", "boolean"]],
    ).fetchall()
    checked = {"life_cycle_stage", "risk_factor", "aspect", "rating_basis", "customers"}
    column, kind = draw.choice([each for each in kinds if each[0] not in checked])
    value = {
        "text": f"coalesce({column}, '') || 'x'",
        "double precision": f"coalesce({column}, 0) + 1e-3",
        "bigint": f"coalesce({column}, 0) + 1",
        "boolean": f"not coalesce({column}, false)",
    }[kind]
    connection.execute(f"update rating.{name} set {column} = {value} where ctid = %s::tid", [row])


def rate(settings, policy) -> str:
    """The hash of what is published, or why nothing is."""
    try:
        return rate_month(LAST, settings, policy, models=MODELS)["publish"]["content_sha256"]
    except GridgradeError as refusal:
        return str(refusal)


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_damage_at_200_places_is_found_before_a_grade_is_published(rated, databases, policy, tmp_path):
    template, content = rated
    for seed in range(200):
        draw = random.Random(seed)
        with databases(tmp_path / str(seed), like=template) as settings:
            where = draw.choice([harm_lake, harm_warehouse])(settings, draw)
            wrong = [finding.detail for finding in audit(settings, Span()) if finding.state == WRONG]
            assert any(where in detail for detail in wrong), (seed, where, wrong)
            came = rate(settings, policy)  # the content: the month does not read it, or what was lost was read anew
            assert came == content or (where in came and "\n" not in came), (seed, where, came)
        shutil.rmtree(tmp_path / str(seed))
