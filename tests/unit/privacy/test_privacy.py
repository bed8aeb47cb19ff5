"""gridgrade customer export: all that is kept of a customer, and nothing of another. gridgrade customer erase: nothing
says any more whose it was, and every figure stays what it was."""

import json
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from pipeline.cycle import rate_month
from pipeline.errors import LakeError
from pipeline.ingest.extract import extract
from pipeline.lake import QUARANTINE, Lake
from pipeline.maintenance.audit import OK, Span, audit
from pipeline.month import RatingMonth
from pipeline.privacy.erase import erase
from pipeline.privacy.export import export
from pipeline.privacy.lake_rows import LakeRows
from pipeline.sample import LAST
from pipeline.source import contract
from tests.support.records.indices import MODELS
from tests.support.records.kept import everywhere, query, traces

# What was about to be done is withdrawn; records in quarantine are gone.
CHANGING = {"action_queue", "action_summary", "data_quality"}
# What an export has beside the rows with a customer_id.
BESIDE = {"ops.service_action_events", "ops.revision_changes", "ops.publications", "ops.quarantine"}


def wrong(settings) -> list[str]:
    return [finding.detail for finding in audit(settings, Span()) if finding.state != OK]


def figures(settings) -> dict[str, list]:
    """The rows of every report, without ids. The last digits of a mean of floats depend on the order of rows."""
    views = [name for (name,) in query(settings, "select view_name from ops.report_views") if name not in CHANGING]
    found = {name: query(settings, f"select to_jsonb(v) - 'customer_id' from report.{name} as v") for name in views}
    return {name: sorted(json.dumps(_rounded(row), sort_keys=True) for (row,) in rows) for name, rows in found.items()}


def _rounded(row: dict) -> dict:
    return {name: float(f"{value:.9g}") if isinstance(value, float) else value for name, value in row.items()}


def erased(gridgrade, settings, *customers, by="officer"):
    asked = ("customer", "erase", *customers, "--by", by, "--reason", "asked for", "--yes", "--json")
    code, out, err = gridgrade(*asked, settings=settings)
    assert code == 0, err
    return json.loads(out)


def test_without_yes_it_only_says_what_would_go(settings, someone, gridgrade):
    held = everywhere(settings)[someone]
    code, out, _ = gridgrade(
        "customer", "erase", someone, "--by", "officer", "--reason", "asked for", "--json", settings=settings
    )
    assert (code, json.loads(out)) == (0, {"erased": False, "rows": held})
    assert everywhere(settings)[someone] == held


@pytest.fixture(scope="module")
def erasure(copied, template, copying, someone, tmp_path_factory):
    """``settings`` of an installation that someone was erased from, what erasing ``found``, and ``before``: another
    that is as this one was. Neither is to be changed."""
    with copied(template, tmp_path_factory.mktemp("erased") / "home") as settings:
        found = erase(settings, copying, [someone], erased_by="officer", reason="asked for")
        yield SimpleNamespace(settings=settings, found=found, before=template)


def test_no_trace_is_left_and_the_figures_stay(erasure, someone):
    others = everywhere(erasure.before)
    assert erasure.found == others.pop(someone)
    assert list(traces(erasure.settings, someone)) == []
    assert figures(erasure.settings) == figures(erasure.before)
    actions = "select count(*) from ops.service_actions"
    assert query(erasure.settings, actions) == query(erasure.before, actions)
    after = everywhere(erasure.settings)
    [pseudonym] = after.keys() - others.keys()
    assert {name: rows for name, rows in after.items() if name != pseudonym} == others
    assert wrong(erasure.settings) == []


def test_what_was_about_to_be_done_is_withdrawn_and_cannot_be_released(erasure, someone, gridgrade):
    [(proposed,)] = query(
        erasure.before,
        "select count(*) from ops.service_actions where customer_id = %s and status = 'proposed'",
        someone,
    )
    closed = query(
        erasure.settings,
        "select action_id::text, status, suppressed_by from ops.service_actions where customer_id like 'erased-%'"
        " and reason = 'erased' and suppressed_by = 'withdrawal'",
    )
    assert len(closed) == proposed > 0
    code, _, err = gridgrade("actions", "release", closed[0][0], "--by", "desk", settings=erasure.settings)
    assert (code, "cannot be released" in err) == (1, True)
    history = (
        "select changed_by, note from ops.service_action_events where action_id = %s order by event_id desc limit 1"
    )
    assert query(erasure.settings, history, closed[0][0]) == [("officer", "erased")]


def test_validation_pages_that_name_a_record_of_theirs_go(erasure, someone):
    document = export(erasure.before, someone)
    keys = [row["row_key"] for row in document["warehouse"]["ops.quarantine"] if row["row_key"]]

    def named(settings) -> list[str]:
        pages = [page.read_text() for page in settings.data_docs_path.rglob("*.html")]
        return [key for key in keys if any(f">{key}<" in page for page in pages)]

    assert named(erasure.before)
    assert not named(erasure.settings)
    assert (erasure.settings.data_docs_path / "index.html").is_file()


def test_quarantine_lies_over_the_records_it_lay_over(erasure, someone):
    held = {table: rows for table, rows in everywhere(erasure.before)[someone].items() if "quarantine" in table}
    listed = "select table_name, recorded_month, row_key, row_number from ops.quarantine order by 1, 2, 3"
    before, after = query(erasure.before, listed), query(erasure.settings, listed)
    assert len(after) == len(before) - sum(held.values()) > 0
    lake = Lake(erasure.settings.lake_path)
    for table, month, key, number in after:
        partition = {"recorded_month": RatingMonth.of(month)}
        [row] = pq.read_table(lake.files(table, **partition)[0]).slice(number, 1).to_pylist()
        named = " ".join(str(row[name]) for name in contract()[table].key if row[name] is not None)
        assert named.replace("+00:00", "+00") == key
        [left_out] = lake.files(QUARANTINE + table, **partition)
        assert number in pq.read_table(left_out)["file_row_number"].to_pylist()


def test_it_is_on_record_without_the_id(erasure, someone):
    [(sha256, by, reason, on_record, is_done)] = query(
        erasure.settings,
        "select customer_sha256, erased_by, reason, found, completed_at is not null from ops.erasures",
    )
    assert (by, reason, on_record, is_done) == ("officer", "asked for", erasure.found, True)
    assert query(erasure.settings, "select encode(sha256(convert_to(%s, 'UTF8')), 'hex')", someone) == [(sha256,)]


@pytest.fixture
def afterwards(copied, erasure, tmp_path):
    """A copy of the installation that someone was erased from, to change."""
    with copied(erasure.settings, tmp_path / "afterwards") as settings:
        yield settings


def test_months_stay_up_to_date_and_can_be_rated_again(afterwards, erasure, copying, someone):
    [(before,)] = query(erasure.before, "select count(*) from rating.credit_grades where rating_month = '2026-10-01'")
    assert rate_month(LAST, afterwards, copying, models=MODELS, accept_moves=True)["publish"]["rows"] == before - 1
    assert wrong(afterwards) == []
    assert rate_month(LAST - 1, afterwards, copying, models=MODELS, accept_moves=True)["publish"]["rows"] > 0
    assert list(traces(afterwards, someone)) == []


def test_the_billing_system_still_has_the_customer_and_no_partition_takes_them_in(afterwards, copying, someone):
    lake = Lake(afterwards.lake_path)
    for table in ("bills", "payments"):
        for name in (table, QUARANTINE + table):
            shutil.rmtree(lake.path(name, recorded_month=LAST - 2))
    assert extract(LAST, afterwards, copying)["written"].keys() == {"bills", "payments"}
    assert list(traces(afterwards, someone)) == []
    manifest = lake.manifest("bills", recorded_month=LAST - 2)
    assert (manifest["rows"], manifest["sums"]) == (manifest["source_rows"], manifest["source_sums"])


@pytest.mark.parametrize("done", [0, 5])
def test_an_erasure_that_was_broken_off_is_found_and_finished_by_the_same_call(
    settings, copying, someone, gridgrade, monkeypatch, done
):
    rest = []

    def killed(self, part, erase_facts=LakeRows._erase_facts):
        rest.append(part)
        if len(rest) > done:
            raise KeyboardInterrupt
        erase_facts(self, part)

    monkeypatch.setattr(LakeRows, "_erase_facts", killed)
    with pytest.raises(KeyboardInterrupt):
        erase(settings, copying, [someone], erased_by="officer", reason="asked for")
    monkeypatch.undo()
    [line] = wrong(settings)
    assert line.endswith("was broken off: gridgrade customer erase again")
    erased(gridgrade, settings, someone)
    assert wrong(settings) == []
    assert list(traces(settings, someone)) == []


@pytest.mark.parametrize("harm", [lambda whole: whole + b"x", lambda whole: whole[:40] + b"xxxx" + whole[44:]])
def test_a_damaged_partition_or_table_is_not_sealed_anew(settings, copying, lake, someone, sql, gridgrade, harm):
    sql("update rating.credit_grades set score = score + 1 where rating_month = '2026-10-01'")
    [line] = wrong(settings)
    holding = everywhere(settings)[someone]
    assert erased(gridgrade, settings, someone) == {"erased": True, "rows": holding}
    assert wrong(settings) == [line]
    [other] = sql("select min(customer_id) from rating.credit_grades where customer_id not like 'erased-%%'")
    held = everywhere(settings)[other[0]]
    [file] = lake.files("bills", recorded_month=LAST)
    whole = Path(file).read_bytes()
    Path(file).write_bytes(harm(whole))
    with pytest.raises(LakeError, match=r"bills/recorded_month=2026-10 is damaged"):
        erase(settings, copying, other, erased_by="officer", reason="asked for")
    Path(file).write_bytes(whole)
    assert everywhere(settings)[other[0]] == held


def test_not_while_an_action_is_being_sent(settings, someone, sql, gridgrade):
    sql(
        "update ops.service_actions set status = 'approved', channel = 'webhook', "
        "leased_until = now() + interval '1 min' where customer_id = %s and status = 'proposed'",
        someone,
    )
    code, _, err = gridgrade(
        "customer", "erase", someone, "--by", "officer", "--reason", "asked for", "--yes", settings=settings
    )
    assert (code, "is being sent right now" in err) == (1, True)
    assert sql("select count(*) from ops.erasures") == [(0,)]


def test_nothing_is_done_where_one_of_them_is_a_stranger(settings, someone, sql, gridgrade):
    code, _, err = gridgrade(
        "customer", "erase", someone, "N-7", "--by", "officer", "--reason", "asked for", "--yes", settings=settings
    )
    assert (code, "nothing is kept of customer N-7, so nothing was erased" in err) == (1, True)
    assert everywhere(settings)[someone]


def rows_by_table(document) -> dict[str, int]:
    found = {f"lake/{table}": len(rows) for table, rows in document["lake"].items()}
    return found | {table: len(rows) for table, rows in document["warehouse"].items()}


def test_every_row_of_every_table_is_there(template, someone, gridgrade):
    code, out, _ = gridgrade("customer", "export", someone, settings=template)
    document = json.loads(out)
    found = rows_by_table(document)
    assert (code, document["customer_id"]) == (0, someone)
    assert {table: rows for table, rows in found.items() if table not in BESIDE} == everywhere(template)[someone]
    ids = {row["customer_id"] for held in ("lake", "warehouse") for rows in document[held].values() for row in rows
           if "customer_id" in row}  # fmt: skip
    assert ids == {someone}


def test_what_belongs_to_a_row_comes_with_it(template, someone):
    document = json.loads(json.dumps(export(template, someone), default=str))
    warehouse = document["warehouse"]
    [(events,)] = query(
        template,
        "select count(*) from ops.service_action_events as e inner join ops.service_actions as s using (action_id) "
        "where s.customer_id = %s",
        someone,
    )
    assert len(warehouse["ops.service_action_events"]) == events > 0
    assert {row["rating_month"] for row in warehouse["ops.publications"]} == {"2026-09-01", "2026-10-01"}
    assert all(row["inputs"]["bills"] for row in warehouse["ops.publications"])
    quarantined = [row for table, rows in document["lake"].items() if table.startswith("quarantine/") for row in rows]
    assert len(warehouse["ops.quarantine"]) == len(quarantined) > 0


def test_a_file_is_for_its_owner_alone_and_a_stranger_is_one_line(template, someone, tmp_path, gridgrade):
    file = tmp_path / "someone.json"
    code, out, _ = gridgrade("customer", "export", someone, "--out", str(file), settings=template)
    assert (code, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600)
    assert out.endswith(f"rows of customer {someone}\n")
    assert json.loads(file.read_text())["customer_id"] == someone
    code, _, err = gridgrade("customer", "export", "N-7", settings=template)
    assert (code, err) == (
        1,
        "gridgrade: nothing is kept of customer N-7: is that the id, as the billing system names it?\n",
    )
