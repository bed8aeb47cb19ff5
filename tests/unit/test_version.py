"""Which changes of the code make a published month be rated again, and which do not."""

import importlib
import shutil

import pytest

from pipeline import resources, version
from pipeline.engine import queries
from pipeline.resources import ROOT

contract = importlib.import_module("pipeline.source.contract")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of the code and the queries; ``sha256`` is then taken of it."""
    for folder in ("pipeline", "sql/lake", "sql/contract"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(version, "_PACKAGE", tmp_path / "pipeline")
    monkeypatch.setitem(resources.OURS, resources.LAKE, tmp_path / "sql" / "lake")
    monkeypatch.setattr(contract, "DDL", tmp_path / "sql" / "contract")
    yield tmp_path
    monkeypatch.undo()
    forget()


def forget():
    for cached in (queries._files, queries._parsed, contract.contract, version.sha256):
        cached.cache_clear()


def sha256() -> str:
    forget()
    return version.sha256()


EQUAL = {
    "a docstring of a command": ("pipeline/cli/rate.py", '"""', '"""Once more. '),
    "code of a command": ("pipeline/cli/rate.py", "\nimport ", "\nimport antigravity\nimport "),
    "a docstring of a step": ("pipeline/grading/grade.py", '"""', '"""Once more. '),
    "a comment": ("pipeline/customers/group.py", "\nfrom pipeline", "\n# Ours.\nfrom pipeline"),
    "another layout": ("pipeline/grading/rules.py", "\ndef ", "\n\n\ndef "),
    "a channel of actions": ("pipeline/actions/channels/mail.py", "\ndef ", "\nLIMIT = 3\n\n\ndef "),
    "the comment of a query": ("sql/lake/indices/payment.sql", "-- ", "-- Note. "),
    "a blank line in a query": ("sql/lake/indices/payment.sql", "select", "select\n\n"),
    "the query of a measure": ("sql/lake/measures/visit.sql", "select", "select distinct"),
    "the meaning of a source table": ("sql/contract/bills.sql", "-- ", "-- Note. ", 2),
}
OTHER = {
    "code of a step": ("pipeline/grading/rules.py", "\ndef ", "\nLIMIT = 3\n\n\ndef "),
    "code of the model library": ("pipeline/scorecard/fisher.py", "\nclass ", "\nLIMIT = 3\n\n\nclass "),
    "what rows are refused": ("pipeline/ingest/expectations.py", "\ndef ", "\nLIMIT = 3\n\n\ndef "),
    "the query of an index": ("sql/lake/indices/payment.sql", "select", "select distinct"),
    "a fact that indices are computed from": ("sql/lake/facts/bill_status.sql", "select", "select distinct"),
    "the type of a source column": ("sql/contract/bills.sql", "numeric(18, 2)", "numeric(18, 3)"),
}


def replace(checkout, name, old, new, place=1):
    path = checkout / name
    text = path.read_text()
    parts = text.split(old)
    assert len(parts) > place, f"{name} holds no {old!r}"
    path.write_text(old.join(parts[:place]) + new + old.join(parts[place:]))


def test_only_what_rates_is_in_the_hash(checkout):
    before = sha256()
    for change in EQUAL.values():
        replace(checkout, *change)
    after = {"all of these": sha256()}
    for what, (name, *edit) in OTHER.items():
        kept = (checkout / name).read_text()
        replace(checkout, name, *edit)
        after[what] = sha256()
        (checkout / name).write_text(kept)
    (checkout / "sql/lake/indices/weather.sql").write_text("select customer_id, 1 as weather from population")
    after["one more query"] = sha256()
    assert after.pop("all of these") == before
    assert before not in after.values()
    assert len(set(after.values())) == len(after)


@pytest.mark.parametrize("library", ["duckdb", "sqlglot", "numpy", "scikit-learn"])
def test_another_version_of_a_library_is_another_hash(library, monkeypatch):
    before, installed = sha256(), version.version
    monkeypatch.setattr(version, "version", lambda name: "9.9.9" if name == library else installed(name))
    assert sha256() != before
    monkeypatch.undo()
    assert sha256() == before


def test_every_file_that_is_named_is_there():
    for name in (*version._RATES, *version._DOES_NOT):
        assert (version._PACKAGE / name).exists(), name
    folders = {path.name for path in resources.OURS[resources.LAKE].iterdir()}
    assert set(version._OTHER_QUERIES) < folders


def test_no_query_that_rates_reads_one_that_is_left_out():
    rates = {name for name, _ in version._queries() if not queries.slots(name)}
    composed = queries.compose(" union all ".join(f"select 1 from {name}" for name in sorted(rates)))
    assert {cte.alias for cte in composed._tree.args["with_"].expressions} == rates
