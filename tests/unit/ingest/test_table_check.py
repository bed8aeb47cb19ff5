"""However many rows are wrong, they are looked at and handed on in pieces that fit in memory."""

import dataclasses
from decimal import Decimal

from pipeline.ingest import table_check
from pipeline.ingest import validate as validate_module
from pipeline.ingest.extract import extract
from tests.support.records.billing import OCTOBER, fill, payment, records


def test_where_every_row_is_wrong_all_are_named_a_few_thousand_at_a_time(settings, policy, sql, monkeypatch):
    many, at_once = 12_000, 2_500
    monkeypatch.setattr(table_check, "_FRAME_ROWS", at_once)
    monkeypatch.setattr(table_check, "_BATCH_ROWS", at_once)
    frames, batches = [], []

    def checked(checker, frame):
        frames.append(len(frame))
        yield from failures(checker, frame)

    def watched(rows):
        for batch in rows:
            batches.append(batch.num_rows)
            yield batch

    def store(settings, month, name, checks, **options):
        replace(settings, month, name, [dataclasses.replace(c, quarantined=watched(c.quarantined)) for c in checks],
                **options)  # fmt: skip

    failures, replace = table_check.Checker.failures, validate_module.replace_validation
    monkeypatch.setattr(table_check.Checker, "failures", checked)
    monkeypatch.setattr(validate_module, "replace_validation", store)
    tables = records()
    wrong = {"amount": Decimal("-200000000"), "customer_id": "X"}
    tables["payments"] = [
        payment(1, OCTOBER, payment_id=f"bad {number // 2}", bill_id="none", **wrong) for number in range(many)
    ]
    fill(settings, tables)
    limits = policy.validation.model_copy(update={"quarantine_limit": 1.0, "reference_grace_months": 0})
    loose = policy.model_copy(update={"validation": limits})
    extract(OCTOBER, settings, policy)
    assert validate_module.validate(OCTOBER, settings, loose)["quarantined"]["payments"] == many
    assert max(frames) < 2 * at_once
    assert max(batches) <= at_once
    assert sum(batches) == many
    always = ["customer exists", "amount is positive", "amount is not absurd"]
    assert sql(
        "select count(*), count(distinct row_number), count(*) filter (where failed @> %s), "
        "count(*) filter (where 'payment_id occurs once' = any(failed)), max(cardinality(failed)) "
        "from ops.quarantine where table_name = 'payments'",
        always,
    ) == [(many, many, many, many // 2, 4)]
    assert dict(
        sql(
            "select expectation, rows_failed from ops.validation_results "
            "where table_name = 'payments' and rows_failed > 0 and severity = 'fail'"
        )
    ) == dict.fromkeys(always, many) | {"payment_id occurs once": many // 2}
