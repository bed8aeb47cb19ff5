"""gridgrade customer export: all that is kept of a customer, and nothing of another."""

import json
import stat

from tests.support.records.kept import everywhere

BESIDE = {"ops.service_action_events", "ops.revision_changes", "ops.publications", "ops.quarantine"}


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
