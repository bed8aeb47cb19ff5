"""gridgrade audit: what is not as it was written is named, and the next run does not build on it."""

import json
import os
import shutil

import pyarrow as pa
import pytest

from pipeline.errors import ModelError, NotPublishedError
from pipeline.grading.grade import grade
from pipeline.lake import MANIFEST, Lake
from pipeline.maintenance.audit import Span, audit
from pipeline.maintenance.doctor import examine
from pipeline.publishing.publish import publish
from tests.support.environment import variables
from tests.support.records.indices import BASIS, MODELS, OCTOBER, customer, write_indices

AT_A_GLANCE = {
    "drop table rating.credit_indices_2026_10_r1": "rating.credit_indices_2026_10_r1 is gone",
    "truncate rating.customer_groups_2026_10_r1": "rating.customer_groups_2026_10_r1 is empty, 50 rows were published",
    "alter table rating.credit_grades detach partition rating.credit_grades_2026_10_r1": (
        "rating.credit_grades_2026_10_r1 is no partition of rating.credit_grades, readers do not see it"
    ),
    "alter table rating.credit_indices drop column arrears_ratio": (
        "rating.credit_indices_2026_10_r1 has lost its column arrears_ratio"
    ),
}
BY_THE_ROWS = {
    "update rating.credit_grades set score = score + 1e-9 where customer_id = 'C00007'": (
        "rating.credit_grades_2026_10_r1 has other rows than were published"
    ),
    "update rating.credit_indices set arrears_ratio = null where customer_id = 'C00007'": (
        "rating.credit_indices_2026_10_r1 has other rows than were published"
    ),
    # Two customers exchanged.
    "update rating.credit_grades as a set score = b.score from rating.credit_grades as b "
    "where (a.customer_id, b.customer_id) in (('C00000', 'C00003'), ('C00003', 'C00000'))": (
        "rating.credit_grades_2026_10_r1 has other rows than were published"
    ),
    "delete from rating.customer_groups where customer_id = 'C00007'": (
        "rating.customer_groups_2026_10_r1 has 49 rows, 50 were published"
    ),
    """update rating.group_profiles set centroid = '{"revenue": 1.0}'""": (
        "rating.group_profiles_2026_10_r1 has other rows than were published"
    ),
}


@pytest.fixture
def installation(databases, published, tmp_path):
    """A copy of ``published`` to damage."""
    with databases(tmp_path / "home", like=published) as settings:
        yield settings


@pytest.fixture
def damaged(installation, gridgrade, sql):
    """What ``gridgrade audit`` says after a statement in the warehouse, a line each; its exit code."""

    def run(statement=None, *arguments):
        if statement:
            sql(statement)
        code, out, _ = gridgrade("audit", *arguments, settings=installation)
        return code, out.splitlines()

    return run


@pytest.fixture
def settings(installation):
    """Whose warehouse ``sql`` writes to."""
    return installation


def publish_again(settings, policy):
    return publish(OCTOBER, settings, policy, **BASIS, run_id="again", run_kind="command")


def doctors(settings, monkeypatch):
    for name, value in variables(settings).items():
        monkeypatch.setenv(name, value)
    return next(finding for finding in examine() if finding.what == "warehouse")


def test_all_is_as_it_was_written(damaged, installation, gridgrade, policy):
    assert damaged() == (0, ["looked at models 2, partitions 5, revisions 1: all as written"])
    code, out, _ = gridgrade("audit", "2026-10", "2026-10", "--json", settings=installation)
    assert (code, json.loads(out)["findings"]) == (0, [])
    assert json.loads(out)["looked_at"] == {"model": 2, "partition": 5, "revision": 1}
    assert damaged(None, "2026-01", "2026-09") == (0, ["looked at models 2: all as written"])
    assert not publish_again(installation, policy)["changed"]


@pytest.mark.parametrize(("statement", "complaint"), (AT_A_GLANCE | BY_THE_ROWS).items())
def test_rows_that_are_not_what_was_published_are_named_and_published_again(
    damaged, installation, policy, sql, monkeypatch, statement, complaint
):
    [[sha256]] = sql("select content_sha256 from ops.publications")
    code, lines = damaged(statement)
    way_out = "gridgrade rate 2026-10 --basis as_known_then publishes it again"
    assert (code, lines[0]) == (1, f"wrong: 2026-10 revision 1: {complaint}; {way_out}")
    assert lines[1].endswith(": 1 to see to")

    found = doctors(installation, monkeypatch)
    assert found.is_ok == (statement in BY_THE_ROWS)
    if not found.is_ok:
        assert found.detail.startswith(f"2026-10 is not as it was published: {complaint}; {way_out}")

    again = publish_again(installation, policy)
    assert (again["changed"], again["revision"], again["moved"], again["content_sha256"]) == (True, 2, 0, sha256)
    assert sql("select count(*), count(distinct customer_id) from report.current_grades") == [(50, 50)]
    assert damaged()[0] == 0


def test_a_partition_of_nobody_is_named(damaged, sql):
    sql("create table rating.credit_grades_by_hand (like rating.credit_grades including all)")
    attach = (
        "alter table rating.credit_grades attach partition rating.credit_grades_by_hand for values from ('2020-01-01') "
    )
    code, lines = damaged(attach + "to ('2020-02-01')")
    assert code == 1
    assert lines[0].startswith("wrong: rating.credit_grades_by_hand is shown to readers and is no current revision")


def test_a_revision_from_before_cannot_be_checked_and_a_lost_one_is_still_found(damaged):
    code, lines = damaged("update ops.publications set table_hashes = null")
    assert (code, len(lines)) == (0, 2)
    assert lines[0].startswith("cannot be checked: 2026-10 revision 1: its rows were not hashed when it was published")
    code, lines = damaged("drop table rating.credit_grades_2026_10_r1")
    assert (code, "rating.credit_grades_2026_10_r1 is gone" in lines[0]) == (1, True)


def test_nothing_is_carried_over_from_what_was_changed(installation, policy, sql):
    november = OCTOBER + 1
    write_indices(installation, pa.Table.from_pylist([customer(1, policy)]), november)
    grade(november, installation, policy, **BASIS, models=MODELS)
    sql("update rating.credit_grades set grade = 'AAA' where customer_id = 'C00001'")
    with pytest.raises(NotPublishedError) as refused:
        grade(november, installation, policy, **BASIS, models=MODELS)
    assert str(refused.value) == (
        "2026-11 carries over from 2026-10, but rating.credit_grades_2026_10_r1 has other rows than were published: "
        "gridgrade rate 2026-10 --basis as_known_then publishes it again"
    )


def test_a_model_that_was_changed_is_named_and_rates_nobody(damaged, installation, policy):
    change = "update rating.models set parameters = replace(parameters::text, '0.', '1.')::json where version = 'homes'"
    code, lines = damaged(change)
    assert (code, len(lines)) == (1, 2)
    assert lines[0].startswith("wrong: model homes is not the one that was registered")
    with pytest.raises(ModelError, match="model homes is not the one that was registered"):
        grade(OCTOBER, installation, policy, **BASIS, models=MODELS)


@pytest.mark.parametrize("harm", ["a byte", "a file", "the manifest", "a file too many", "another's place"])
def test_partitions_that_are_not_as_they_were_written_are_named(damaged, installation, harm):
    folder = Lake(installation.lake_path).path("grades", rating_month=OCTOBER, **BASIS)
    [part] = folder.glob("*.parquet")
    if harm == "a byte":
        part.write_bytes(part.read_bytes()[:-9] + b"x" + part.read_bytes()[-8:])
    elif harm == "a file":
        part.unlink()
    elif harm == "the manifest":
        (folder / MANIFEST).unlink()
        os.utime(part, (0, 0))  # a file of these days may be a living writer's
    elif harm == "a file too many":
        shutil.copy(part, folder / "part-1.parquet")
    else:
        shutil.rmtree(folder)
        shutil.copytree(folder.parents[1].with_name("indices") / folder.parent.name / folder.name, folder)
    code, lines = damaged()
    assert (code, len(lines)) == (1, 2)
    assert "grades/rating_month=2026-10/basis=as_known_then" in lines[0]
    assert "remove that folder" in lines[0] or "part-1.parquet is not a file of it: remove it" in lines[0]


def test_facts_that_published_months_were_rated_from_are_missed(installation, sql):
    lake = Lake(installation.lake_path)
    for month in (OCTOBER - 1, OCTOBER):
        with lake.writing("bills", recorded_month=month) as partition:
            partition.manifest(rows=0)
    hashes = {
        str(month): f"{lake.manifest('bills', recorded_month=month)['sha256']} q" for month in (OCTOBER - 1, OCTOBER)
    }
    sql("update ops.inputs set partitions = %s", json.dumps({"bills": hashes}))

    def wrong():
        return [finding.detail for finding in audit(installation, Span()) if finding.detail]

    assert wrong() == []
    sql("update ops.inputs set partitions = %s", json.dumps({"bills": hashes | {"2026-09": "another q"}}))
    [line] = wrong()
    assert "bills/recorded_month=2026-09 is another than it was, and 2026-10 was rated from it" in line
    lake.remove("bills", recorded_month=OCTOBER - 1)
    [line] = wrong()
    assert (
        "bills/recorded_month=2026-09 is gone, and 2026-10 was rated from it: gridgrade backfill 2026-10 2026-10"
        in line
    )
    with lake.writing("bills", recorded_month=OCTOBER - 1) as partition:
        partition.manifest(rows=0)
    lake.remember_beginning("bills")
    lake.remove("bills", recorded_month=OCTOBER - 1)
    assert wrong() == []  # gridgrade clean did that
