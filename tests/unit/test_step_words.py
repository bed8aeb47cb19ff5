"""The line a step leaves in its log, and the numbers it gives to metrics."""

import logging

from pipeline.run import Run
from pipeline.step_words import in_words, numbers


def test_numbers_are_added_up_by_name():
    summary = {
        "month": "2026-10",
        "written": {"bills": {"partitions": 2, "rows": 1000}, "payments": {"partitions": 1, "rows": 500}},
        "quarantined": {"bills": 3, "payments": 4},
        "changed": True,
        "customers": 7,
    }
    assert numbers(summary) == {"written.partitions": 3, "written.rows": 1500, "quarantined": 7, "customers": 7}


def test_a_step_is_told_in_one_line():
    assert in_words("extract", {"written": {}}) == "0 rows in 0 partitions read"
    assert in_words("validate", {"rows": {"bills": 12000}, "quarantined": {"bills": 5}}) == (
        "12,000 rows checked, 5 in quarantine"
    )
    assert in_words("grade", {"grades": {"AAA": 1200, "D": 3}}) == "1,203 customers graded: AAA 1,200, D 3"
    published = {"revision": 2, "changed": True, "moved": 41, "content_sha256": "ab" * 32}
    assert in_words("publish", published) == "revision 2, new content, 41 customers moved, sha256 abababababab"
    assert in_words("publish", published | {"moved": None}).endswith("new content, sha256 abababababab")
    assert in_words("another", {"rows": 1234}) == "rows 1,234"
    assert in_words("propose_rebates", {"campaigns": {}, "changed": 0}) == "0 campaigns, 0 rows changed"


def test_every_step_of_a_month_ends_with_its_line_and_reports_it(published, policy, caplog):
    from pipeline.month import RatingMonth

    reported = []
    month = RatingMonth(2026, 10)
    run = Run(month, published, policy, on_step=lambda *seen: reported.append(seen))
    with caplog.at_level(logging.INFO, logger="pipeline.run"):
        run.choose_model()
        run.monitor()
    lines = [record.getMessage() for record in caplog.records if record.name == "pipeline.run"]
    assert [line.partition(":")[0] for line in lines] == ["2026-10 choose_model", "2026-10 monitor"]
    assert [step for step, *_ in reported] == ["choose_model", "monitor"]
    assert reported[1][1]["month"] == "2026-10"
    assert all(seconds >= 0 for *_, seconds in reported)
