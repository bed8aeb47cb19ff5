"""gridgrade customer export: all that is kept of a customer, and nothing of another. gridgrade customer erase: nothing
says any more whose it was, and every figure stays what it was."""

import json
import shutil
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.cycle import rate_month
from pipeline.errors import LakeError
from pipeline.ingest.extract import extract
from pipeline.lake import QUARANTINE
from pipeline.maintenance.audit import OK, Span, audit
from pipeline.month import RatingMonth
from pipeline.privacy.erase import erase
from pipeline.privacy.lake_rows import LakeRows
from pipeline.sample import LAST
from pipeline.source import contract
from tests.support.records.indices import MODELS
from tests.support.records.kept import everywhere, traces

# What was about to be done is withdrawn; records in quarantine are gone.
CHANGING = {"action_queue", "action_summary", "data_quality"}
# What an export has beside the rows with a customer_id.
BESIDE = {"ops.service_action_events", "ops.revision_changes", "ops.publications", "ops.quarantine"}


def wrong(settings) -> list[str]:
    return [finding.detail for finding in audit(settings, Span()) if finding.state != OK]


def figures(sql) -> dict[str, list]:
    """The rows of every report, without ids. The last digits of a mean of floats depend on the order of rows."""
    views = [name for (name,) in sql("select view_name from ops.report_views") if name not in CHANGING]
    found = {name: sql(f"select to_jsonb(v) - 'customer_id' from report.{name} as v") for name in views}
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


def test_no_trace_is_left_and_the_figures_stay(settings, someone, sql, gridgrade):
    before, others = figures(sql), everywhere(settings)
    actions = sql("select count(*) from ops.service_actions")
    assert erased(gridgrade, settings, someone)["rows"] == others.pop(someone)
    assert list(traces(settings, someone)) == []
    assert figures(sql) == before
    assert sql("select count(*) from ops.service_actions") == actions
    after = everywhere(settings)
    [pseudonym] = after.keys() - others.keys()
    assert {name: rows for name, rows in after.items() if name != pseudonym} == others
    assert wrong(settings) == []


def test_what_was_about_to_be_done_is_withdrawn_and_cannot_be_released(settings, someone, sql, gridgrade):
    [(proposed,)] = sql(
        "select count(*) from ops.service_actions where customer_id = %s and status = 'proposed'", someone
    )
    erased(gridgrade, settings, someone)
    closed = sql(
        "select action_id::text, status, suppressed_by from ops.service_actions where customer_id like 'erased-%%'"
        " and reason = 'erased' and suppressed_by = 'withdrawal'"
    )
    assert len(closed) == proposed > 0
    code, _, err = gridgrade("actions", "release", closed[0][0], "--by", "desk", settings=settings)
    assert (code, "cannot be released" in err) == (1, True)
    history = (
        "select changed_by, note from ops.service_action_events where action_id = %s order by event_id desc limit 1"
    )
    assert sql(history, closed[0][0]) == [("officer", "erased")]


def test_validation_pages_that_name_a_record_of_theirs_go(settings, someone, gridgrade):
    document = json.loads(gridgrade("customer", "export", someone, settings=settings)[1])
    keys = [row["row_key"] for row in document["warehouse"]["ops.quarantine"] if row["row_key"]]

    def named() -> list[str]:
        pages = [page.read_text() for page in settings.data_docs_path.rglob("*.html")]
        return [key for key in keys if any(f">{key}<" in page for page in pages)]

    assert named()
    erased(gridgrade, settings, someone)
    assert not named()
    assert (settings.data_docs_path / "index.html").is_file()


def test_quarantine_lies_over_the_records_it_lay_over(settings, lake, someone, sql, gridgrade):
    held = {table: rows for table, rows in everywhere(settings)[someone].items() if "quarantine" in table}
    kept = "select table_name, recorded_month, row_key from ops.quarantine order by 1, 2, 3"
    before = sql(kept)
    erased(gridgrade, settings, someone)
    assert len(sql(kept)) == len(before) - sum(held.values()) > 0
    for table, month, key, number in sql("select table_name, recorded_month, row_key, row_number from ops.quarantine"):
        partition = {"recorded_month": RatingMonth.of(month)}
        [row] = pq.read_table(lake.files(table, **partition)[0]).slice(number, 1).to_pylist()
        named = " ".join(str(row[name]) for name in contract()[table].key if row[name] is not None)
        assert named.replace("+00:00", "+00") == key
        [left_out] = lake.files(QUARANTINE + table, **partition)
        assert number in pq.read_table(left_out)["file_row_number"].to_pylist()


def test_it_is_on_record_without_the_id(settings, someone, sql, gridgrade):
    found = erased(gridgrade, settings, someone)["rows"]
    [(sha256, by, reason, on_record, is_done)] = sql(
        "select customer_sha256, erased_by, reason, found, completed_at is not null from ops.erasures"
    )
    assert (by, reason, on_record, is_done) == ("officer", "asked for", found, True)
    assert sql("select encode(sha256(convert_to(%s, 'UTF8')), 'hex')", someone) == [(sha256,)]


def test_months_stay_up_to_date_and_can_be_rated_again(settings, copying, someone, sql, gridgrade):
    count = "select count(*) from rating.credit_grades where rating_month = '2026-10-01'"
    [(before,)] = sql(count)
    erased(gridgrade, settings, someone)
    assert rate_month(LAST, settings, copying, models=MODELS, accept_moves=True)["publish"]["rows"] == before - 1
    assert wrong(settings) == []
    assert rate_month(LAST - 1, settings, copying, models=MODELS, accept_moves=True)["publish"]["rows"] > 0
    assert list(traces(settings, someone)) == []


def test_the_billing_system_still_has_the_customer_and_no_partition_takes_them_in(
    settings, copying, lake, someone, gridgrade
):
    erased(gridgrade, settings, someone)
    for table in ("bills", "payments"):
        for name in (table, QUARANTINE + table):
            shutil.rmtree(lake.path(name, recorded_month=LAST - 2))
    assert extract(LAST, settings, copying)["written"].keys() == {"bills", "payments"}
    assert list(traces(settings, someone)) == []
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
    erased(gridgrade, settings, someone)
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


def test_every_row_of_every_table_is_there(settings, someone, gridgrade):
    code, out, _ = gridgrade("customer", "export", someone, settings=settings)
    document = json.loads(out)
    found = rows_by_table(document)
    assert (code, document["customer_id"]) == (0, someone)
    assert {table: rows for table, rows in found.items() if table not in BESIDE} == everywhere(settings)[someone]
    ids = {row["customer_id"] for held in ("lake", "warehouse") for rows in document[held].values() for row in rows
           if "customer_id" in row}  # fmt: skip
    assert ids == {someone}


def test_what_belongs_to_a_row_comes_with_it(settings, someone, sql, gridgrade):
    document = json.loads(gridgrade("customer", "export", someone, settings=settings)[1])
    warehouse = document["warehouse"]
    [(events,)] = sql(
        "select count(*) from ops.service_action_events as e inner join ops.service_actions as s using (action_id) "
        "where s.customer_id = %s",
        someone,
    )
    assert len(warehouse["ops.service_action_events"]) == events > 0
    assert {row["rating_month"] for row in warehouse["ops.publications"]} == {"2026-09-01", "2026-10-01"}
    assert all(row["inputs"]["bills"] for row in warehouse["ops.publications"])
    quarantined = [row for table, rows in document["lake"].items() if table.startswith("quarantine/") for row in rows]
    assert len(warehouse["ops.quarantine"]) == len(quarantined) > 0


def test_a_file_is_for_its_owner_alone_and_a_stranger_is_one_line(settings, someone, tmp_path, gridgrade):
    file = tmp_path / "someone.json"
    code, out, _ = gridgrade("customer", "export", someone, "--out", str(file), settings=settings)
    assert (code, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600)
    assert out.endswith(f"rows of customer {someone}\n")
    assert json.loads(file.read_text())["customer_id"] == someone
    code, _, err = gridgrade("customer", "export", "N-7", settings=settings)
    assert (code, err) == (
        1,
        "gridgrade: nothing is kept of customer N-7: is that the id, as the billing system names it?\n",
    )
