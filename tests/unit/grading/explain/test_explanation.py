"""Explaining what was published: it adds up, by Python and by SQL alike, and says what it cannot do."""

import json
import re

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pytest

from pipeline.errors import ModelError, NotPublishedError, NotRatedError
from pipeline.grading.explain.explanation import explain
from pipeline.grading.grade import grade
from pipeline.policy import Policy
from pipeline.publishing.publish import publish
from pipeline.scorecard import CreditModel, model_from_dict
from pipeline.warehouse import model_registry
from pipeline.warehouse.tables.index_columns import define_indices
from tests.support.records.explained_customers import LEARNT, SEGMENTS, measured, table
from tests.support.records.indices import BASIS, MODELS, OCTOBER, expert, register, write_indices

SUMS = """
select g.customer_id, g.score, e.base_score, e.points, e.rows
from rating.credit_grades as g
left join (
    select customer_id, base_score, sum(points) as points, count(*) as rows
    from report.grade_explanation where rating_month = '2026-10-01' group by customer_id, base_score
) as e on e.customer_id = g.customer_id
"""


def query(settings, statement, *parameters):
    url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def rows(explained):
    """report.grade_explanation of the whole month: points by customer and index."""
    found = query(explained, "select customer_id, index_name, points from report.grade_explanation")
    points = {}
    for customer, index, value in found:
        points.setdefault(customer, {})[index] = value
    return points


def number(customer_id):
    return int(customer_id[1:])


def test_the_views_points_add_up_to_every_customers_score(explained, people):
    found = query(explained, SUMS)
    assert len(found) == len(people)
    assert max(abs(base + points - score) for _, score, base, points, _ in found) < 1e-9


def frame_of(people, policy):
    """The customers as a model sees them."""
    frame = table(people, policy).to_pandas().set_index("customer_id")
    for name in policy.indices:
        frame[name] = frame[name].where(~frame[f"{name}_missing"]).astype(float)
    return frame


def assert_agree(model, frame, rows):
    points = model.contributions(frame)
    for column in points:
        found = [rows[customer][column.removesuffix("_band")] for customer in frame.index]
        assert (points[column] - found).abs().max() < 1e-9
    assert {len(rows[customer]) for customer in frame.index} == {points.shape[1]}


def test_the_view_and_the_model_agree_on_every_contribution(explained, policy, people, rows):
    graded = dict(query(explained, "select customer_id, model_version from rating.credit_grades"))
    frame = frame_of(people, policy)
    for version in LEARNT.values():
        customers = [customer for customer, used in graded.items() if used == version]
        assert len(customers) > 1000
        assert_agree(model_from_dict(model_registry.model(explained, version).parameters), frame.loc[customers], rows)


def test_so_they_do_for_a_model_of_bins_and_codes(settings, policy, people):
    """Edges of bins among the values, and 96 for what is not an amount, in a binned index and in one that is not."""
    frame = frame_of(people, policy)
    codes = {"max_days_past_due": [96.0], "avg_monthly_kwh": [96.0], "arrears_ratio": []}
    for place, name in enumerate(codes):
        frame.loc[frame.index[place::9], name] = 96.0
    scored = list(policy.scored("residential"))
    default = (frame["max_days_past_due"].fillna(0) + 10 * frame["arrears_ratio"].fillna(0) > 40).astype(int)
    binned = CreditModel().fit(frame[scored], default, binned=["max_days_past_due", "arrears_ratio"], sentinels=codes)
    assert {term.kind for term in binned.terms()} == {"base", "value", "missing", "sentinel", "woe"}
    values = [{name: None if value != value else value for name, value in row.items()}
              for row in frame[scored].iloc[:400].to_dict("records")]  # fmt: skip
    edges = [edge for term in binned.terms() if term.column == "arrears_ratio" for edge in term.edges]
    for row, edge in zip(values, edges, strict=False):
        row["arrears_ratio"] = float(np.nextafter(edge, -np.inf))
    register(settings, "residential", "binned", binned)
    register(settings, "non_residential", "firms", expert(policy, "non_residential"))
    write_indices(settings, pa.Table.from_pylist([measured(n, policy, row) for n, row in enumerate(values)]))
    grade(OCTOBER, settings, policy, **BASIS, models=MODELS | {"residential": "binned"})
    publish(OCTOBER, settings, policy, **BASIS, run_id="t", run_kind="command")
    points = {}
    for customer, index, value in query(
        settings, "select customer_id, index_name, points from report.grade_explanation"
    ):
        points.setdefault(customer, {})[index] = value
    seen = pd.DataFrame(values, dtype=float).set_axis([f"C{n:05}" for n in range(len(values))])
    assert_agree(binned, seen, points)
    assert explain(settings, policy, OCTOBER, "C00000").next_grade is not None


def test_the_view_tells_the_published_reasons_with_their_texts(explained, policy, people):
    found = query(
        explained,
        "select e.customer_id, e.reason_rank, e.code, array[g.reason_1, g.reason_2, g.reason_3, g.reason_4], "
        "e.index_name, g.model_version, e.is_missing, e.band, e.reason_en, e.reason_zh "
        "from report.grade_explanation as e "
        "inner join rating.credit_grades as g on g.customer_id = e.customer_id and e.customer_id < 'C00100'",
    )
    by_code = {index.code: index for index in policy.indices.values()}
    frame = frame_of(people, policy)
    points = {
        version: model_from_dict(model_registry.model(explained, version).parameters)
        .reason_points(frame)
        .rename(columns=lambda c: c.removesuffix("_band"))
        for version in LEARNT.values()
    }
    named = set()
    for customer, rank, code, reasons, name, version, is_missing, band, english, chinese in found:
        assert rank == (reasons.index(code) + 1 if code in reasons else None)
        reason = by_code[code].reason
        is_against = points[version].at[customer, name] < 0
        is_fault = is_against and not is_missing and band != "A"
        assert (english, chinese) == ((reason.en, reason.zh) if is_fault else (None, None))
        named |= {(customer, code)} if rank else set()
    assert named == {(customer, code) for customer, _, _, reasons, *_ in found for code in reasons if code}


@pytest.fixture
def older_months(explained):
    """Two more months, empty."""
    parts = [(name, month) for name in ("credit_grades", "credit_indices") for month in (1, 2)]
    for name, month in parts:
        query(
            explained,
            f"create table rating.{name}_{month} partition of rating.{name} "
            f"for values from ('2024-0{month}-01') to ('2024-0{month + 1}-01')",
        )
    yield
    for name, month in parts:
        query(explained, f"drop table rating.{name}_{month}")


def test_a_customer_and_month_are_looked_up_by_key_in_one_partition(explained, older_months):
    [[[plan]]] = query(
        explained,
        "explain (format json) select * from report.grade_explanation "
        "where rating_month = '2026-10-01' and customer_id = 'C00007'",
    )
    scans = {name: node for node in nodes(plan["Plan"]) if "credit_" in (name := node.get("Relation Name", ""))}
    assert set(scans) == {"credit_grades_2026_10_r1", "credit_indices_2026_10_r1"}
    for scan in scans.values():
        assert scan["Node Type"] == "Index Scan"
        assert "customer_id" in scan["Index Cond"]


def nodes(node):
    return [node, *(found for child in node.get("Plans", ()) for found in nodes(child))]


@pytest.mark.parametrize("customer", ["C00001", "C00002", "C00037", "C00041", "C00039"])
def test_an_explanation_adds_up_and_agrees_with_the_view(explained, policy, rows, customer, tmp_path):
    away = explained.model_copy(update={"lake": tmp_path / "cleaned_up"})
    found = explain(away, policy, OCTOBER, customer).as_json()
    assert found["base_score"] + sum(c["points"] for c in found["contributions"]) == pytest.approx(
        found["score"], abs=1e-9
    )
    assert {c["index"]: c["points"] for c in found["contributions"]} == pytest.approx(rows[customer], abs=1e-9)
    [published] = query(
        explained,
        "select grade, score, rating_basis, reason_1, reason_2, reason_3, reason_4 "
        "from rating.credit_grades where customer_id = %s",
        customer,
    )
    assert (found["grade"], found["score"], found["rating_basis"]) == published[:3]
    assert [reason["code"] for reason in found["reasons"]] == [code for code in published[3:] if code]
    costs = [c["points"] for c in found["contributions"]]
    assert costs == sorted(costs)
    named = [c["code"] for c in found["contributions"] if c["text"] and c["value"] is not None]
    assert named[: len(found["reasons"])] == [reason["code"] for reason in found["reasons"]]


def test_a_missing_value_is_explained_as_missing(explained, policy, people):
    """Also one that the policy fills: it is the flag that gives its points."""
    name = "arrears_recovery_rate"
    gap = next(n for n, values in enumerate(people) if values[name] is None)
    known = next(n for n, values in enumerate(people) if values[name] == 1.0 or (values[name] or 0) > 0.9)
    codes = dict(query(explained, "select customer_id, missing_indices from rating.credit_indices"))
    assert policy.indices[name].code in codes[f"C{gap:05}"]
    assert policy.indices[name].code not in codes[f"C{known:05}"]
    for customer, values in enumerate(people[:200]):
        family = policy.family_of(SEGMENTS[customer % 4])
        measured_of = {name: index for name, index in policy.indices.items() if index.is_for(family)}
        missing = {index.code for name, index in measured_of.items() if values[name] is None}
        assert codes[f"C{customer:05}"] == sorted(missing)
    found = {c["index"]: c for c in explain(explained, policy, OCTOBER, f"C{gap:05}").as_json()["contributions"]}
    assert found[name]["value"] is None
    assert found[name]["band"] == "A"


BY_BASIS = {"C00001": "model", "C00002": "expert", "C00041": "thin_file", "C00037": "default"}


def test_each_basis_says_what_set_the_grade(explained, policy):
    for customer, basis in BY_BASIS.items():
        found = explain(explained, policy, OCTOBER, customer)
        assert found.published.grade["rating_basis"] == basis
        assert found.needs
    [[best_in_default]] = query(
        explained,
        "select customer_id from rating.credit_grades where rating_basis = 'default' order by score desc limit 1",
    )
    in_default = explain(explained, policy, OCTOBER, best_in_default)
    assert in_default.published.grade["grade"] == "D" > in_default.model_grade
    assert in_default.needs[0].startswith("First the default has to end")
    assert in_default.needs[1] == f"By its score it would have {in_default.model_grade}."
    thin = explain(explained, policy, OCTOBER, "C00041").as_json()
    assert thin["basis_text"].startswith("Little is known")


@pytest.fixture
def small(settings, policy):
    """Publish customers of these numbers, in the best of health, for a month."""
    for family, version in MODELS.items():
        register(settings, family, version, expert(policy, family))

    def run(numbers, month=OCTOBER, policy=policy):
        good = {name: index.bands[0] for name, index in policy.indices.items()}
        write_indices(settings, pa.Table.from_pylist([measured(n, policy, good) for n in numbers]), month)
        grade(month, settings, policy, **BASIS, models=MODELS)
        publish(month, settings, policy, **BASIS, run_id="t", run_kind="command")
        return settings

    return run


def test_for_a_customer_who_is_not_rated_the_reason_is_given(small, policy):
    small([1, 2], OCTOBER - 1)
    settings = small([2, 3])
    cases = {
        (OCTOBER + 1, "C00002"): (NotPublishedError, "nothing is published for 2026-11: gridgrade rate 2026-11"),
        (OCTOBER, "nobody"): (NotRatedError, "2026-10: no published month rates a customer 'nobody': check the id"),
        (OCTOBER, "C00001"): (NotRatedError, "closed by then; its last rating is of 2026-09"),
        (OCTOBER - 1, "C00003"): (NotRatedError, "not connected yet; its first rating is of 2026-10"),
    }
    for (month, customer), (kind, message) in cases.items():
        with pytest.raises(kind) as raised:
            explain(settings, policy, month, customer)
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_model_that_is_gone_or_does_not_give_the_score_is_one_clear_line(small, policy, sql):
    settings = small([1])
    sql("update rating.credit_grades set score = score + 1")
    with pytest.raises(ModelError, match=r"2026-10: the contributions of C00001 add up to .*: rate the month again"):
        explain(settings, policy, OCTOBER, "C00001")
    sql("update rating.credit_indices set missing_indices = null")
    with pytest.raises(ModelError, match="before missing values were recorded; rate the month again"):
        explain(settings, policy, OCTOBER, "C00001")
    sql("delete from rating.model_coefficients")
    sql("delete from rating.models")
    with pytest.raises(ModelError, match="2026-10 cannot be explained: model homes is not registered"):
        explain(settings, policy, OCTOBER, "C00001")


def test_a_month_from_before_missing_values_were_recorded_is_explained_where_none_was(small, policy, sql):
    settings = small([1])
    sql("update rating.credit_indices set missing_indices = null")
    found = explain(settings, policy, OCTOBER, "C00001").as_json()
    assert found["base_score"] == pytest.approx(found["score"])
    assert sql("select sum(points), bool_or(is_missing) from report.grade_explanation") == [(0, False)]


def test_every_rule_that_may_hold_a_grade_comes_first(small, policy, sql):
    settings = small([1])
    rules = [
        *("new_customer", "promotion_buffer", "notch_limit", "unpaid_balance", "probation"),
        *(name for name, _ in policy.grade_rules.vetoes),
        *("default", "default_by_register", "override", "manual_veto"),
    ]
    said = set()
    for rule in rules:
        sql("update rating.credit_grades set grade_rule = %s", rule)
        found = explain(settings, policy, OCTOBER, "C00001")
        said.add(found.needs[0])
        assert found.needs[1] == f"By its score it would have {found.model_grade}."
        assert found.as_json()["grade_rule"] == rule
    assert len(said) == len(rules)


def test_rules_that_will_still_hold_are_told_with_the_month_they_end(small, policy, sql):
    settings = small([1])
    sql(
        "update rating.credit_grades set grade = 'D', grade_rule = 'theft', rating_basis = 'veto', "
        "rules_in_force = 'unpaid_balance;theft=2026-08-20;violation=2025-11-02'"
    )
    found = explain(settings, policy, OCTOBER, "C00001").as_json()
    assert [(rule["rule"], rule["until"]) for rule in found["next_grade"]["withheld_by"]] == [("theft", "2028-08")]
    assert (found["next_grade"]["grade"], found["next_grade"]["is_reached"]) == ("C", False)
    assert found["needs"] == [
        "First the veto for theft of electricity has to lapse. From the rating of 2028-08 on it no longer holds.",
        "By its score it would have AAA.",
        "Its score is enough for C.",
    ]


def test_records_in_quarantine_are_shown(small, policy, sql, gridgrade):
    settings = small([1])
    sql("update rating.credit_grades set quarantined_records = 3")
    assert explain(settings, policy, OCTOBER, "C00001").as_json()["quarantined_records"] == 3
    assert "3 of its records are in quarantine" in gridgrade("explain", "2026-10", "C00001", settings=settings)[1]


def test_definitions_follow_the_policy_and_outlive_their_index(small, policy, sql):
    settings = small([1], OCTOBER - 1)
    gone = "consumption_volatility"
    renamed = policy.indices["arrears_ratio"].model_copy(update={"meaning": "another meaning"})
    kept = {name: index for name, index in policy.indices.items() if name != gone}
    later = policy.model_copy(update={"indices": kept | {"arrears_ratio": renamed}})
    define_indices(settings, later.indices)
    known = dict(sql("select index_name, meaning from rating.index_definitions"))
    assert known["arrears_ratio"] == "another meaning"
    assert known[gone] == policy.indices[gone].meaning
    found = explain(settings, later, OCTOBER - 1, "C00001").as_json()
    assert {c["index"]: c["meaning"] for c in found["contributions"]}[gone] == policy.indices[gone].meaning


def test_another_policy_than_the_publication_s_is_reported(explained, policy):
    assert "policy has changed" not in " ".join(explain(explained, policy, OCTOBER, "C00001").needs)
    other = Policy.model_validate(
        policy.model_dump() | {"grades": policy.grades.model_copy(update={"cutoffs": (0.1, 0.2, 0.3, 0.4, 0.5)})}
    )
    assert "policy has changed" in explain(explained, other, OCTOBER, "C00001").needs[-1]


def test_the_command_prints_a_table_that_adds_up_and_says_what_is_needed(gridgrade, explained, policy):
    code, out, err = gridgrade("explain", "2026-10", "C00001", settings=explained)
    assert (code, err) == (0, "")
    found = json.loads(gridgrade("explain", "2026-10", "C00001", "--json", settings=explained)[1])
    for contribution in found["contributions"]:
        assert f"{contribution['points']:+.2f}" in out
    assert f"{found['score']:.2f}" in out
    assert found["needs"][0] in out


def test_the_command_speaks_chinese(gridgrade, explained, policy):
    code, out, _ = gridgrade("explain", "2026-10", "C00037", "--lang", "zh", settings=explained)
    assert code == 0
    assert "截止日处于违约状态" in out
    shown = out.replace(explain(explained, policy, OCTOBER, "C00037").published.grade["model_version"], "")
    codes = {index.code for index in policy.indices.values()} | set(policy.grades.names)
    assert set(re.findall(r"[A-Za-z]+[0-9]*", shown)) <= codes | {"C00037", "ln"}, "only ids and codes are Latin"
    found = json.loads(gridgrade("explain", "2026-10", "C00037", "--lang", "zh", "--json")[1])
    by_code = {index.code: index for index in policy.indices.values()}
    assert found["reasons"]
    missing = {c["code"] for c in found["contributions"] if c["value"] is None}
    for reason in found["reasons"]:
        assert reason["text"] == ("暂无数据" if reason["code"] in missing else by_code[reason["code"]].reason.zh)


def test_the_command_refuses_in_one_line(gridgrade, explained):
    code, out, err = gridgrade("explain", "2026-10", "nobody", settings=explained)
    assert (code, out) == (1, "")
    assert err == "gridgrade: 2026-10: no published month rates a customer 'nobody': check the id\n"
