"""gridgrade init and what doctor says of a utility's own folder."""

import pytest

from pipeline import resources
from pipeline.errors import ConfigError
from pipeline.maintenance.doctor import examine
from pipeline.maintenance.new_project import create, replacements
from pipeline.policy import Policy
from pipeline.settings import Settings


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "our utility"
    create(folder)
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(folder))
    return folder


def test_a_new_project_changes_nothing(project):
    found = list(replacements(project))
    assert {one.path for one in found} == {f"sql/extract/{p.name}" for p in resources.OURS[resources.EXTRACT].glob("*")}
    assert all(one.replaces and not one.is_outdated for one in found)
    assert Policy.load(resources.project_policy()) == Policy.load()


@pytest.mark.parametrize("origin", ["ccb", "sap-isu"])
def test_a_billing_systems_queries_are_those_of_its_template(tmp_path, origin):
    create(tmp_path / "ours", origin)
    copied = {path.name: path.read_text() for path in (tmp_path / "ours" / "sql" / "extract").iterdir()}
    template = resources.SQL / "templates" / origin.replace("-", "_") / "extract"
    assert copied == {path.name: path.read_text() for path in template.iterdir()}
    assert not any(one.is_outdated for one in replacements(tmp_path / "ours"))


def test_records_from_files_need_no_queries(tmp_path):
    create(tmp_path / "ours", "files")
    assert list(replacements(tmp_path / "ours")) == []


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(ConfigError, match="is not an empty folder: name another one"):
        create(tmp_path)
    with pytest.raises(ConfigError, match="'oracle' is not known: choose ccb, sap-isu, files"):
        create(tmp_path / "ours", "oracle")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_doctor_lists_what_is_used_and_what_changed_since_it_was_copied(project, monkeypatch, tmp_path):
    (project / "sql" / "lake" / "indices" / "plans.sql").write_text("select 1 as one")
    changed = tmp_path / "changed"
    changed.mkdir()
    for path in resources.OURS[resources.EXTRACT].glob("*.sql"):
        (changed / path.name).write_text(path.read_text())
    (changed / "bills.sql").write_text("select 'a new version'")
    monkeypatch.setitem(resources.OURS, resources.EXTRACT, changed)
    found = {finding.what: finding for finding in examine(lambda: Settings(home=tmp_path / "home"))}
    said = found["project"].detail
    assert "sql/lake/indices/plans.sql (added)" in said
    assert "sql/extract/payments.sql (in place of ours)" in said
    assert "sql/extract/bills.sql (in place of ours, which has changed since it was copied)" in said
