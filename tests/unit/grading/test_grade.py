"""Grading: from indices and a model to a grade and its reasons, customer by customer."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.engine import duckdb as engine
from pipeline.errors import ConfigError, ModelError
from pipeline.grading.grade import grade
from pipeline.lake import Lake
from pipeline.publishing.publish import publish
from pipeline.scorecard import CreditModel, ExpertScorecard
from pipeline.warehouse import overrides
from tests.support.grader import Grader
from tests.support.records.indices import BASIS, MODELS, OCTOBER, customer, expert, register, write_indices


@pytest.fixture
def graded(settings, policy):
    """Put customers into the lake's indices and grade them, by the expert scorecard at first: rows by customer_id."""
    for family, version in MODELS.items():
        register(settings, family, version, expert(policy, family))

    def run(rows, month=OCTOBER, models=MODELS):
        write_indices(settings, pa.Table.from_pylist(rows), month)
        run.summary = grade(month, settings, policy, **BASIS, models=models)
        [file] = Lake(settings.lake_path).files("grades", rating_month=month, **BASIS)
        return {found["customer_id"]: found for found in pq.read_table(file).to_pylist()}

    return run


def test_every_customer_is_graded_by_the_model_of_the_family(graded, policy, settings):
    rows = [customer(1, policy), customer(2, policy, segment="public", band="B"), customer(3, policy, band="D")]
    found = graded(rows)
    models = [expert(policy), expert(policy, "non_residential"), expert(policy)]
    alone = [(model, pd.DataFrame([row])) for model, row in zip(models, rows, strict=True)]
    assert [row["score"] for row in found.values()] == [model.score(frame)[0] for model, frame in alone]
    assert [row["default_probability"] for row in found.values()] == [
        model.default_probability(frame)[0] for model, frame in alone
    ]
    assert [row["model_version"] for row in found.values()] == ["homes", "firms", "homes"]
    assert [row["grade"] for row in found.values()] == ["AAA", "C", "D"]
    assert {row["rating_basis"] for row in found.values()} == {"expert"}
    assert graded.summary["grades"] == {"AAA": 1, "AA": 0, "A": 0, "B": 0, "C": 1, "D": 1}
    manifest = Lake(settings.lake_path).manifest("grades", rating_month=OCTOBER, **BASIS)
    assert (manifest["rows"], manifest["population"], manifest["model_versions"]) == (3, 3, MODELS)


def test_a_customer_in_default_has_the_worst_grade_whatever_the_model_says(graded, policy):
    good = customer(1, policy, is_in_default=True, is_thin_file=True)
    found = graded([good])["C00001"]
    assert (found["grade"], found["default_probability"], found["rating_basis"]) == ("D", 1.0, "default")
    assert found["score"] == expert(policy).score(pd.DataFrame([good]))[0]


def test_a_thin_file_is_flagged(graded, policy):
    found = graded([customer(1, policy, is_thin_file=True), customer(2, policy)])
    assert (found["C00001"]["rating_basis"], found["C00001"]["grade"]) == ("thin_file", "AAA")
    assert found["C00002"]["rating_basis"] == "expert"


def test_a_missing_band_counts_as_the_policy_says(graded, policy):
    missing = {f"{name}_band": None for name in policy.indices}
    found = graded([customer(1, policy, **missing), customer(2, policy, band="B")])
    assert found["C00001"]["score"] == found["C00002"]["score"]


def test_reasons_are_what_costs_most_the_costliest_first_and_nothing_that_costs_nothing(graded, policy):
    def bands(number, **bands):
        return customer(number, policy, **{f"{name}_band": band for name, band in bands.items()})

    worst_first = {"on_time_payment_rate": "D", "decayed_delinquency": "D", "amount_weighted_days_late": "C"}
    found = graded(
        [customer(1, policy), bands(2, arrears_ratio="B"), bands(3, **worst_first), customer(4, policy, band="D")]
    )
    reasons = {name: [found[name][f"reason_{n}"] for n in (1, 2, 3, 4)] for name in found}
    assert reasons["C00001"] == [None] * 4
    assert reasons["C00002"] == ["P4", None, None, None]
    assert reasons["C00003"] == ["P1", "P6", "P2", None]  # 3 * 0.5, 3 * 0.4, 2 * 0.4
    assert len(set(reasons["C00004"])) == 4


def test_notches_count_up_and_down_from_what_is_published_for_the_month_before(graded, settings, policy):
    graded([customer(1, policy), customer(2, policy, band="D"), customer(3, policy), customer(4, policy)], OCTOBER - 1)
    publish(OCTOBER - 1, settings, policy, **BASIS, run_id="t", run_kind="command")
    found = graded([customer(1, policy, band="B"), customer(2, policy), customer(3, policy), customer(5, policy)])
    moves = {name: (f["previous_grade"], f["grade"], f["notch_change"]) for name, f in found.items()}
    assert moves == {
        "C00001": ("AAA", "C", -4),
        "C00002": ("D", "C", 1),
        "C00003": ("AAA", "AAA", 0),
        "C00005": (None, "AAA", None),
    }


def test_the_grade_before_is_that_of_the_last_published_month_whatever_was_skipped(graded, settings, policy):
    for month, band in ((OCTOBER - 4, "A"), (OCTOBER - 3, "D")):
        graded([customer(1, policy, band=band)], month)
        publish(month, settings, policy, **BASIS, run_id="t", run_kind="command")
    found = graded([customer(1, policy), customer(2, policy)])
    assert [(f["previous_grade"], f["grade"], f["grade_rule"]) for f in found.values()] == [
        ("D", "C", "notch_limit"),
        (None, "AAA", None),
    ]


def test_no_reason_is_of_band_a_or_of_what_nobody_knows(graded, settings, policy, learnt):
    """A model that learnt from these customers takes points from values of band A and from gaps as well."""
    model, rows = learnt
    register(settings, "residential", "learnt", model)
    found = graded(rows[:400], models=MODELS | {"residential": "learnt"})
    name_of = {index.code: name for name, index in policy.indices.items()}
    seen = [(row, name_of[code]) for row in rows[:400]
            for n in (1, 2, 3, 4) if (code := found[row["customer_id"]][f"reason_{n}"])]  # fmt: skip
    assert len(seen) > 400
    assert not [name for row, name in seen if row[f"{name}_band"] == "A" or row[f"{name}_missing"]]


def test_a_perfect_record_reaches_every_grade_of_the_expert_scorecard(policy):
    """From the best of the scale, the promotion's buffer included and without any of the optional tables, down to the
    worst."""
    scale = policy.grades
    known = {
        f"{name}_band": "A" for name, index in policy.indices.items() if not (index.needs and index.missing == "median")
    }
    for family in policy.families:
        model = expert(policy, family)
        frame = pd.DataFrame([dict.fromkeys(model.columns) | known])[list(model.columns)]
        assert model.default_probability(frame)[0] < scale.cutoffs[0] * (1 - policy.grade_rules.promotion.buffer)
        worst = pd.DataFrame([dict.fromkeys(model.columns, "D")])
        assert model.default_probability(worst)[0] > scale.cutoffs[-1]


@pytest.fixture(scope="module")
def learnt(policy):
    """A model of some customers, and 5,000 more as the lake has them."""
    rng = np.random.default_rng(11)
    rows = [
        customer(
            n, policy, band="ABCD"[n % 4], segment="public" if n % 5 == 0 else "residential", is_in_default=n % 97 == 0
        )
        | {name: float(value) for name, value in zip(policy.indices, rng.normal(size=len(policy.indices)), strict=True)}
        for n in range(5000)
    ]
    for at, name in enumerate(policy.indices):
        for gap in range(at, 5000, 50):
            rows[gap] |= {name: 0.0, f"{name}_missing": True}
    frame = pd.DataFrame(rows)[list(policy.scored("residential"))]
    risk = frame["max_days_past_due"] - frame["on_time_payment_rate"] + rng.logistic(size=5000)
    return CreditModel().fit(frame, (risk > 3).astype(int)), rows


def test_a_stream_of_batches_is_graded_as_the_whole(graded, settings, policy, learnt, monkeypatch):
    model, rows = learnt
    register(settings, "residential", "learnt", model)
    models = MODELS | {"residential": "learnt"}
    whole = graded(rows, models=models)
    assert list(whole) == [found["customer_id"] for found in rows]
    assert {found["rating_basis"] for found in whole.values()} == {"model", "expert", "default"}
    monkeypatch.setattr(engine, "BATCH_ROWS", 2048)
    assert graded(rows, models=models) == whole


def test_a_customers_grade_does_not_depend_on_who_else_is_graded(policy, learnt):
    model, rows = learnt
    frame = pd.DataFrame(rows[:1000]).assign(previous_grade=None, override_grade=None, veto_grade=None)
    grader = Grader("v1", model, policy)
    parts = [grader.grade(frame.iloc[at : at + 300]) for at in range(0, 1000, 300)]
    pd.testing.assert_frame_equal(pd.concat(parts), grader.grade(frame), check_exact=True)


def test_the_policys_substitute_for_a_missing_value_does_not_enter_the_model(graded, settings, policy, learnt):
    model, _ = learnt
    register(settings, "residential", "learnt", model)
    rows = [
        customer(1, policy, arrears_recovery_rate=1.0, arrears_recovery_rate_missing=True),
        customer(2, policy, arrears_recovery_rate=99.0, arrears_recovery_rate_missing=True),
    ]
    first, second = graded(rows, models=MODELS | {"residential": "learnt"}).values()
    assert first["score"] == second["score"]


def test_a_segment_of_no_family_is_named(graded, policy):
    with pytest.raises(ModelError) as raised:
        graded([customer(1, policy), customer(2, policy) | {"segment": "lunar", "family": None}])
    assert str(raised.value) == "2026-10: no model for segment lunar; policy families must name every segment"


def test_a_model_of_other_indices_is_refused_with_the_way_out(graded, settings, policy):
    register(settings, "residential", "older", ExpertScorecard(-5.0, {"moon_band": 1.0}))
    with pytest.raises(ModelError, match=r"^2026-10: .*moon_band.*indices have changed since: rate with mode retrain$"):
        graded([customer(1, policy)], models=MODELS | {"residential": "older"})
    with pytest.raises(ModelError, match="model nobody is not registered"):
        graded([customer(1, policy)], models=MODELS | {"residential": "nobody"})


@pytest.mark.parametrize("name", ["asset_liability_ratio", "service_quality_sensitivity", "outage_sensitivity"])
def test_what_is_not_in_a_familys_score_cannot_come_in_by_a_model(graded, settings, policy, name):
    register(settings, "residential", "overreaching", ExpertScorecard(-5.0, {f"{name}_band": 1.0}))
    with pytest.raises(ModelError, match=rf"^2026-10: .*{name}_band"):
        graded([customer(1, policy)], models=MODELS | {"residential": "overreaching"})


def test_what_is_known_of_a_customer_beside_the_model_sets_the_grade(graded, policy):
    found = graded([customer(1, policy, is_new=True), customer(2, policy, has_theft=True), customer(3, policy)])
    seen = {name: (f["model_grade"], f["grade"], f["rating_basis"], f["grade_rule"]) for name, f in found.items()}
    assert seen == {
        "C00001": ("AAA", "B", "new", "new_customer"),
        "C00002": ("AAA", "D", "veto", "theft"),
        "C00003": ("AAA", "AAA", "expert", None),
    }


def test_what_people_decided_by_the_cutoff_sets_the_grade(graded, policy, settings, sql):
    def decide(number, grade, kind="override", on="2026-10-31Z"):
        said = {"reason": "r", "created_by": "ana", "first": OCTOBER, "last": None}
        entered = overrides.add(settings, policy, customer_id=f"C{number:05}", kind=kind, grade=grade, **said)
        sql("update ops.rating_overrides set created_at = %s where override_id = %s", on, entered.override_id)
        return entered

    decide(1, "C")
    decide(1, "B", on="2026-10-31 01:00Z")
    decide(2, "A", "veto")
    decide(2, "B", "veto", on="2026-10-30Z")
    late = decide(3, "D", on="2026-11-01Z")
    found = graded([customer(number, policy) for number in range(1, 5)])
    assert [(f["grade"], f["rating_basis"]) for f in found.values()] == [
        ("B", "override"),
        ("B", "veto"),
        ("AAA", "expert"),
        ("AAA", "expert"),
    ]
    manifest = Lake(settings.lake_path).manifest("grades", rating_month=OCTOBER, **BASIS)
    assert manifest["overrides_sha256"] != overrides.sha256([])

    sql("update ops.rating_overrides set grade = 'E', created_at = '2026-10-01Z' where customer_id = 'C00003'")
    with pytest.raises(ConfigError, match=rf"2026-10: override {late.override_id} names grade 'E', .*override end"):
        graded([customer(1, policy)])


def test_nobody_to_grade_is_an_empty_month(policy, settings):
    for family, version in MODELS.items():
        register(settings, family, version, expert(policy, family))
    write_indices(settings, pa.Table.from_pylist([customer(1, policy)]).slice(0, 0))
    assert set(grade(OCTOBER, settings, policy, **BASIS, models=MODELS)["grades"].values()) == {0}
