"""Two ways to grade and to shock agree to the bit: queries on the engine, and a model and the rules in Python."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.customers.index_values import rule_facts
from pipeline.engine import open_engine
from pipeline.grading.grade_query import grade_query
from pipeline.grading.sensitivity_query import sensitivity_query
from pipeline.policy import Policy
from pipeline.policy.grades import Veto
from pipeline.scorecard import CreditModel
from pipeline.settings import Settings
from tests.support.grader import Grader
from tests.support.records.indices import OCTOBER, expert
from tests.support.sensitivity_in_python import SUMS, changed
from tests.support.spark import differences

POLICY = Policy.load()
ROWS = 3000
NAMES = list(POLICY.indices)
SCORED = list(POLICY.scored("residential"))


def drawn(rows: int, seed: int, known: float = 0.85) -> pd.DataFrame:
    """Customers of all segments with values on a coarse grid, so that points tie and cutoffs are hit."""
    rng = np.random.default_rng(seed)
    segments = [segment for members in POLICY.families.values() for segment in members]
    frame = pd.DataFrame({"customer_id": [f"C{number:06}" for number in range(rows)]})
    frame["segment"] = rng.choice(segments, rows)
    frame["family"] = frame["segment"].map(POLICY.family_of)
    frame["region"] = rng.choice(["north", "south", None], rows)
    frame["rules_in_force"] = rng.choice(["theft=2026-01-02", None], rows)
    frame["quarantined_records"] = rng.integers(0, 3, rows)
    for fact in (*rule_facts(), "is_in_default", "is_default_by_register", "is_thin_file"):
        frame[fact] = rng.random(rows) < 0.08
    for name in NAMES:
        frame[name] = np.round(rng.standard_t(3, rows), 1)
        frame[f"{name}_missing"] = rng.random(rows) > known
        letters = rng.choice(np.array(["A", "B", "C", "D"], dtype=object), rows)
        frame[f"{name}_band"] = np.where(frame[f"{name}_missing"] & (rng.random(rows) < 0.5), None, letters)
    return frame


def grades_of(frame: pd.DataFrame, seed: int) -> dict[str, pd.Series]:
    """Grades of the month before and by hand of some customers, one of them not on the scale."""
    rng = np.random.default_rng(seed)
    names = [*POLICY.grades.names, "Z"]
    return {
        column: pd.Series(np.where(rng.random(len(frame)) < share, rng.choice(names, len(frame)), None), dtype=object)
        for column, share in (("previous_grade", 0.6), ("override_grade", 0.05), ("veto_grade", 0.05))
    }


def graded_on(engine, frame, given, models, policy):
    by_hand = frame[["customer_id"]].assign(**{name: given[name] for name in ("override_grade", "veto_grade")})
    previous = frame[["customer_id"]].assign(grade=given["previous_grade"]).dropna()
    shuffled = frame.sample(frac=1, random_state=1)
    for name, table in (("indices", shuffled), ("previous", previous), ("decided", by_hand)):
        engine.bind_table(name, pa.Table.from_pandas(table, preserve_index=False))
    return engine.fetch(grade_query(OCTOBER, models, policy)).to_pandas()


def shocked_on(engine, frame, grades, family, model):
    """What is summed by segment, factor and shock."""
    for name, table in (("indices", frame), ("grades", grades)):
        engine.bind_table(name, pa.Table.from_pandas(table, preserve_index=False))
    shocks = pa.array([None, *POLICY.sensitivity.shocks], pa.float64())
    engine.bind_table("shocks", pa.table({"shock": shocks}))
    found = {}
    for factor in POLICY.sensitivity.factors:
        if names := POLICY.factor_indices(factor, family):
            for row in engine.fetch(sensitivity_query(factor, names, family, model, POLICY)).to_pylist():
                found[row["segment"], factor, row["shock"]] = {name: row[name] for name in SUMS}
    return found


@pytest.fixture(scope="module")
def duck(tmp_path_factory):
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=2)) as engine:
        yield engine


def by_python(frame, given, models, policy):
    """As the step's query has it."""
    values = {name: frame[name].where(~frame[f"{name}_missing"]) for name in NAMES}
    customers = frame.assign(**values, **given)
    parts = [
        Grader(version, model, policy).grade(customers[customers["family"] == family])
        for family, (version, model) in models.items()
    ]
    return pd.concat(parts).sort_values("customer_id", ignore_index=True)


def agree(found, expected):
    assert len(found) == len(expected)
    for column in found:
        one, other = (table[column].astype(object).where(table[column].notna(), None) for table in (found, expected))
        different = [place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        assert not different, (column, [(one[place], other[place]) for place in different[:3]])


def fitted(seed=5, **choices):
    frame = drawn(4000, seed)
    values = frame[SCORED].where(~frame[[f"{name}_missing" for name in SCORED]].to_numpy())
    risk = values["max_days_past_due"].fillna(2) - values["on_time_payment_rate"].fillna(1)
    labels = (risk + np.random.default_rng(seed).logistic(size=4000) > 3).astype(int)
    return CreditModel().fit(values, labels, **choices)


@pytest.fixture(scope="module")
def learnt():
    codes = {"decayed_delinquency": (0.5, 1.0), "max_days_past_due": (1.5,)}
    return {
        "values": fitted(),
        "codes": fitted(fill={"on_time_payment_rate": -1.0}, sentinels=codes),
        "bins": fitted(binned=SCORED[:8], sentinels=codes),
    }


@pytest.fixture(params=["values", "codes", "bins", "expert"])
def models(request, learnt):
    homes = expert(POLICY) if request.param == "expert" else learnt[request.param]
    return {"residential": ("homes", homes), "non_residential": ("firms", expert(POLICY, "non_residential"))}


def test_the_query_grades_as_python_does(models, duck):
    frame = drawn(ROWS, seed=2)
    given = grades_of(frame, seed=3)
    found = graded_on(duck, frame, given, models, POLICY)
    agree(found, by_python(frame, given, models, POLICY))
    assert found["reason_4"].notna().any()
    assert found["grade_rule"].nunique() > 8


def test_shocks_do_what_they_do_in_python(models, duck):
    frame = drawn(ROWS, seed=4, known=0.5)
    grades = graded_on(duck, frame, grades_of(frame, seed=5), models, POLICY)
    for family, (_, model) in models.items():
        found = shocked_on(duck, frame, grades, family, model)
        assert found == changed(frame, grades, family, model, POLICY)
        assert any(0 < row["evaluated"] < row["customers"] for row in found.values())


@pytest.mark.spark
def test_spark_grades_and_shocks_as_duckdb_does(models, duck, spark):
    frame = drawn(300, seed=6)
    given = grades_of(frame, seed=7)
    one, other = (graded_on(engine, frame, given, models, POLICY) for engine in (duck, spark))
    assert not differences(
        *(table.astype(object).where(table.notna(), None).to_dict("records") for table in (one, other))
    )
    for family, (_, model) in models.items():
        one_sums, other_sums = (shocked_on(engine, frame, one, family, model) for engine in (duck, spark))
        assert one_sums.keys() == other_sums.keys()
        for key, sums in one_sums.items():
            assert other_sums[key] == pytest.approx(sums, rel=1e-9, abs=len(frame))


ceilings = st.sampled_from(POLICY.grades.names)


@settings(max_examples=10, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_under_any_rules_and_cutoffs_the_two_ways_agree(duck, data, seed):
    rules = POLICY.grade_rules
    drop = data.draw(st.sets(st.sampled_from(["new_customer", "promotion", "unpaid_balance", "probation"])))
    changed = {name: None for name in drop}
    if "promotion" not in drop:
        limits = {"max_notches": data.draw(st.integers(1, 5)), "buffer": data.draw(st.floats(0, 0.9))}
        changed["promotion"] = rules.promotion.model_copy(update=limits)
    vetoes = {
        name: data.draw(st.one_of(st.none(), st.builds(Veto, months=st.just(3), ceiling=st.none() | ceilings)))
        for name, _ in rules.vetoes
    }
    changed["vetoes"] = rules.vetoes.model_copy(update=vetoes)
    models = {"residential": ("homes", expert(POLICY)), "non_residential": ("firms", expert(POLICY, "non_residential"))}
    frame = drawn(200, seed)
    given = grades_of(frame, seed)
    # Cutoffs at probabilities that customers have: to reach one is to have passed it.
    reached = by_python(frame, given, models, POLICY)["default_probability"]
    cutoffs = sorted({float(value) for value in reached if value < 1})
    kept = data.draw(st.lists(st.sampled_from(cutoffs), min_size=5, max_size=5, unique=True))
    scale = POLICY.grades.model_copy(update={"cutoffs": tuple(sorted(kept))})
    policy = POLICY.model_copy(update={"grade_rules": rules.model_copy(update=changed), "grades": scale})
    agree(graded_on(duck, frame, given, models, policy), by_python(frame, given, models, policy))
