"""The data dictionary says what policy and DDL say, and the one among the docs is up to date."""

import json

from pipeline.maintenance.data_dictionary import dictionary, markdown
from pipeline.policy import Policy
from pipeline.resources import ROOT
from pipeline.source import contract


def rows(page: str) -> dict[str, list[str]]:
    """Cells by the code in the first, of all tables."""
    found = {}
    for line in page.splitlines():
        if line.startswith("| "):
            cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
            found.setdefault(cells[0], cells)
    return found


def test_the_page_among_the_docs_is_the_one_of_the_default_policy(policy):
    page = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    assert page == markdown(policy), "docs/data-dictionary.md is stale: make dictionary"


def test_every_index_is_listed_with_all_that_defines_it(policy):
    page = markdown(policy)
    found = rows(page)
    for name, index in policy.indices.items():
        code, column, meaning, unit, months, *_ = found[index.code]
        assert (code, column, unit, months) == (index.code, f"`{name}`", index.unit, str(index.window_months))
        assert meaning.replace("\\", "") == index.meaning
        assert index.reason is None or (index.reason.en in page and index.reason.zh in page)
    assert found["P1"][5:] == [
        "high",
        "A ≥ 0.98, B ≥ 0.9, C ≥ 0.75",
        "fewer than min_bills_due bills due; the file is then thin: the median",
        "",
        "all",
        "yes",
    ]
    assert found["E2"][5:] == [
        "high",
        "A ≥ 1, B ≥ 0.75, C ≥ 0.5",
        "no calibration was due: 1",
        "`calibrations`",
        "non_residential",
        "yes",
    ]
    assert found["Q2"][5:] == [
        "neither",
        "A ≤ 0.1, B ≤ 0.2, C ≤ 0.4",
        "no outage on the feeder, or the feeder is not known: the query's outage_sensitivity_fallback",
        "`outages`, `service_contacts`",
        "all",
        "no",
    ]
    assert "`sql/lake/indices/finance.sql` reads `customers`, `financial_statements`." in page


def test_a_utilitys_own_words_are_printed_as_they_are_and_break_no_table(tmp_path):
    own = tmp_path / "policy.yaml"
    own.write_text("indices: {arrears_ratio: {meaning: 'a | b * c < d', bands: [0, 0.25, 9]}}")
    cells = rows(markdown(Policy.load(own)))["P4"]
    assert (cells[2], cells[6]) == ("a \\| b \\* c &lt; d", "A ≤ 0, B ≤ 0.25, C ≤ 9")


def test_the_warehouse_is_described_as_the_database_has_it(policy, sql):
    commented = sql(
        """
        select c.relnamespace::regnamespace || '.' || c.relname, a.attname, col_description(c.oid, a.attnum)
        from pg_class as c
        inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace::regnamespace::text in ('rating', 'ops') and c.relkind in ('r', 'p', 'v')
            and c.relname <> 'migrations'
        """
    )
    wide = {("rating.credit_indices", column) for name in policy.indices for column in (name, f"{name}_band")}
    seen = {
        (table, column): meaning
        for table, described in dictionary(policy)["warehouse"].items()
        for column, meaning in described["columns"].items()
    }
    assert seen == {(table, column): meaning for table, column, meaning in commented if (table, column) not in wide}


def test_the_command_prints_it_or_writes_it_under_the_policy_in_force(gridgrade, policy, tmp_path, monkeypatch):
    code, out, err = gridgrade("dictionary")
    assert (code, out, err) == (0, markdown(policy), "")
    own = tmp_path / "policy.yaml"
    own.write_text("index_parameters: {outage_report_hours: 48}")
    monkeypatch.setenv("GRIDGRADE_POLICY", str(own))
    assert gridgrade("dictionary", "--json", "--out", str(tmp_path / "d.json")) == (0, "", "")
    seen = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    assert seen["index_parameters"]["outage_report_hours"] == 48
    assert {table["name"] for table in seen["source"]} == set(contract())
    code, _, err = gridgrade("dictionary", "--out", str(tmp_path / "no" / "where.md"))
    assert (code, err.count("\n")) == (1, 1)
    assert "cannot be written: No such file or directory" in err
