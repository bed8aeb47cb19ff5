"""The first version's warehouse, with what it published, under today's code."""

import psycopg
import pytest

from pipeline.cycle import rate_month
from pipeline.maintenance.audit import UNKNOWN, Span, audit
from pipeline.report.report import report
from pipeline.resources import ROOT
from pipeline.sample import LAST, generate
from pipeline.source.write import replace_tables
from pipeline.warehouse import migrations
from tests.support.records import kept

pytestmark = pytest.mark.trial

DUMP = ROOT / "tests/support/records/first_version.sql"


@pytest.fixture
def settings(settings):
    """A warehouse as the first version left it, and a billing system."""
    url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute("drop schema ops, rating, report cascade")
        connection.execute(DUMP.read_text())
    replace_tables(settings.source, generate(12, 14))
    return settings


def test_the_next_month_is_rated_and_what_was_published_stays(settings, policy, sql, gridgrade):
    grades = "select customer_id, grade, score from rating.credit_grades where rating_month = '2026-09-01' order by 1"
    before = sql(grades)
    assert migrations.migrate(settings)
    assert sql(grades) == before
    assert len(before) == 12

    outcome = rate_month(LAST, settings, policy, accept_moves=True)
    assert outcome["publish"]["is_latest_month"]
    carried = sql(
        "select g.customer_id, p.grade, g.previous_grade from rating.credit_grades as g "
        "inner join rating.credit_grades as p using (customer_id) "
        "where g.rating_month = '2026-10-01' and p.rating_month = '2026-09-01'"
    )
    assert len(carried) > 6
    assert all(published == previous for _, published, previous in carried)

    assert [finding.name for finding in audit(settings, Span()) if finding.state == UNKNOWN] == [
        "2026-08 revision 1",
        "2026-09 revision 1",
    ]
    assert len(report(LAST - 1, settings, policy)["reports"]) == 2
    someone = carried[0][0]
    assert gridgrade("explain", "2026-09", someone, settings=settings)[0] == 0
    asked = ("customer", "erase", someone, "--by", "officer", "--reason", "asked for", "--yes")
    assert gridgrade(*asked, settings=settings)[0] == 0
    assert someone not in kept.everywhere(settings)
