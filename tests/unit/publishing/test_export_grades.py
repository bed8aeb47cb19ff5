"""What is published, as a table, CSV or JSON."""

import csv
import io
import json

import pytest

from pipeline.cli.show.grades import SHOWN_ROWS, show_grades
from pipeline.publishing.export_grades import NotPublishedError, export_grades
from tests.support.records.indices import OCTOBER


def test_csv_and_json_are_all_rows_in_order(published, tmp_path):
    for output in ("csv", "json"):
        export_grades(published, OCTOBER, output, tmp_path / output)
    as_csv = list(csv.DictReader(io.StringIO((tmp_path / "csv").read_text())))
    as_json = json.loads((tmp_path / "json").read_text())
    assert len(as_csv) == len(as_json) == 50
    assert [row["customer_id"] for row in as_csv] == sorted(row["customer_id"] for row in as_json)
    for written, read in zip(as_csv[:20], as_json[:20], strict=True):
        assert float(written["score"]) == read["score"]
        assert (written["grade"], written["reason_4"] or None) == (read["grade"], read["reason_4"])


def test_a_table_shows_the_first_and_says_how_many_there_are(published, tmp_path, capsys):
    show_grades(published, OCTOBER, None, revision=None)
    show_grades(published, OCTOBER, tmp_path / "table", revision=None)
    for shown in (capsys.readouterr().out, (tmp_path / "table").read_text()):
        assert "2026-10" in shown
        assert f"{SHOWN_ROWS} of 50" in " ".join(shown.split())
        assert "C00001" in shown


def test_whole_exports_go_to_standard_output(published, capfd):
    export_grades(published, OCTOBER, "json", None)
    assert len(json.loads(capfd.readouterr().out)) == 50


def test_a_month_without_a_publication_says_how_to_rate_it(published):
    with pytest.raises(NotPublishedError, match=r"nothing is published for 2026-11: gridgrade rate 2026-11 rates it"):
        export_grades(published, OCTOBER + 1, "csv", None)


def test_a_revision_is_asked_for_by_its_number(published, tmp_path):
    for revision in (None, 1):
        export_grades(published, OCTOBER, "csv", tmp_path / str(revision), revision=revision)
    assert (tmp_path / "1").read_text() == (tmp_path / "None").read_text()
    with pytest.raises(NotPublishedError, match=r"2026-10 has no revision 2: report\.publications lists those it has"):
        export_grades(published, OCTOBER, "csv", None, revision=2)


@pytest.mark.parametrize("output", ["csv", "json", "table"])
def test_a_file_that_cannot_be_written_is_one_clear_line(gridgrade, published, tmp_path, output):
    target = tmp_path / "none" / "it's here"
    code, _, err = gridgrade("grades", "2026-10", "--format", output, "--out", str(target), settings=published)
    assert (code, err.count("\n")) == (1, 1)
    assert "it's here cannot be written" in err
