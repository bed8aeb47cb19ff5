"""What became of a cohort against what was published of it: counted by the engine as the model library measures it."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from pipeline.customers.outcomes import write_outcomes
from pipeline.engine import open_engine, queries
from pipeline.lake import Lake
from pipeline.monitoring import backtest
from pipeline.sample import LAST
from pipeline.scorecard import auc, brier, ks
from pipeline.settings import Settings
from pipeline.warehouse import model_registry

MONTH = LAST
COHORT = MONTH - 6


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with open_engine(Settings(home=tmp_path_factory.mktemp("engine"), threads=2)) as engine:
        yield engine


def counted(engine, frame):
    engine.bind_table("rated_outcomes", pa.Table.from_pandas(frame.assign(model_version="v1"), preserve_index=False))
    [row] = engine.fetch(queries.compose("select * from discrimination")).to_pylist()
    return row


@trials(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(300, 310), st.sampled_from([0.01, 0.2, 0.7]), st.booleans()), min_size=4, max_size=60
    ).filter(lambda rows: 2 <= sum(row[2] for row in rows) <= len(rows) - 2)
)
def test_auc_interval_ks_and_brier_are_those_of_the_library(engine, policy, rows):
    frame = pd.DataFrame(rows, columns=["score", "default_probability", "is_default"])
    frame["score"] = frame["score"].astype(float)
    model = registered(auc_of_training=0.8)
    found = {c["measure"]: c for c in backtest._discrimination_checks(counted(engine, frame), model, policy)}
    y, risk = frame["is_default"].astype(int), -frame["score"]
    expected = auc(y, risk)
    assert found["auc"]["value"] == pytest.approx(expected.value, abs=1e-12)
    assert found["auc"]["low"] == pytest.approx(expected.low, abs=1e-9)
    assert found["auc"]["high"] == pytest.approx(expected.high, abs=1e-9)
    assert found["ks"]["value"] == pytest.approx(ks(y, risk), abs=1e-12)
    assert found["brier"]["value"] == pytest.approx(
        brier(frame["is_default"].astype(int), frame["default_probability"])
    )


def registered(auc_of_training=None):
    metrics = {} if auc_of_training is None else {"auc": {"value": auc_of_training}}
    fields = dict.fromkeys(model_registry.Model.__dataclass_fields__)
    return model_registry.Model(**fields | {"version": "v1", "family": "residential", "metrics": metrics})


@pytest.mark.parametrize(
    ("trained", "defaults", "status"),
    [(0.55, 200, "pass"), (0.9, 200, "fail"), (0.9, 10, "not_judged"), (None, 200, "not_judged")],
)
def test_a_model_that_tells_defaults_worse_than_at_training_fails(engine, policy, trained, defaults, status):
    rng = np.random.default_rng(1)
    is_default = np.arange(2000) < defaults
    score = 600 - 10 * is_default + 20 * rng.normal(size=2000)
    frame = pd.DataFrame({"score": score, "default_probability": 0.1, "is_default": is_default})
    checks = backtest._discrimination_checks(counted(engine, frame), registered(trained), policy)
    assert checks[0]["status"] == status


@pytest.mark.parametrize(("expected", "status"), [(0.05, "pass"), (0.02, "fail")])
def test_defaults_far_from_expected_fail(policy, expected, status):
    by_grade = pd.DataFrame({"customers": [1000.0], "defaults": [50.0], "expected": [1000 * expected]}, index=["B"])
    checks = {check["subject"]: check for check in backtest._calibration_checks(by_grade, policy)}
    assert {name: check["status"] for name, check in checks.items()} == {"B": status, "all": status}
    assert (checks["B"]["value"], checks["B"]["expected"]) == (0.05, pytest.approx(expected))


def test_a_published_cohort_is_looked_at_once_its_outcomes_are_known(settings, policy, sample_lake, sql):
    settings = settings.model_copy(update={"lake": sample_lake})
    assert backtest.checks(MONTH, COHORT, settings, policy, basis="as_known_then") == []
    outcomes = outcome_of(settings, policy)
    probability = outcomes["is_default"].map({True: 0.6, False: 0.05}).fillna(0.1)
    publish(settings, sql, outcomes.assign(default_probability=probability, score=600 - 100 * probability))
    checks = backtest.checks(MONTH, COHORT, settings, policy, basis="as_known_then")
    found = {(check["measure"], check["subject"]): check for check in checks}
    labelled = outcomes["is_default"].notna()
    assert found["auc", "all"]["value"] == 1.0
    assert found["auc", "all"]["customers"] == labelled.sum()
    assert found["auc", "all"]["defaults"] == (outcomes["outcome"] == "bad").sum() > 20
    assert {check["compared_month"] for check in checks} == {COHORT.first_day}
    assert found["calibration", "D"]["customers"] == (outcomes["outcome"] == "bad").sum()
    assert found["calibration", "D"]["status"] == "fail"  # all of them defaulted, six in ten were expected
    assert found["calibration", "all"]["expected"] == pytest.approx(probability[labelled].mean())


def outcome_of(settings, policy) -> pd.DataFrame:
    folder = settings.home / "outcomes"
    folder.mkdir(parents=True)
    with open_engine(settings) as engine:
        found = write_outcomes(
            engine, Lake(settings.lake_path), policy, COHORT, folder, known_in=MONTH, customers_of=MONTH
        )
        engine.bind_files("outcomes", [str(file) for file in found.files])
        rows = queries.compose("select customer_id, segment, outcome, is_default from outcomes order by customer_id")
        return engine.fetch(rows).to_pandas()


def publish(settings, sql, rows: pd.DataFrame) -> None:
    """These customers as the cohort's published month, graded by a model v1 of every segment."""
    model_registry.register(
        settings,
        version="v1",
        family="residential",
        effective_from=COHORT,
        parameters={},
        metrics={"auc": {"value": 0.8}},
        input_sha256="i",
        policy_sha256="p",
    )
    first, following = COHORT.first_day, (COHORT + 1).first_day
    sql(f"create table rating.cohort partition of rating.credit_grades for values from ('{first}') to ('{following}')")
    sql(
        "with published as (insert into ops.publications (publication_id, rating_month, revision, basis, rows, "
        "content_sha256, input_sha256, policy_sha256, model_sha256, model_versions, run_id, run_kind, is_latest_month) "
        "values (gen_random_uuid(), %s, 1, 'as_known_then', 1, 'c', 'i', 'p', 'm', '{}', 't', 'command', true) "
        "returning *) insert into rating.credit_grades (rating_month, customer_id, segment, score, "
        "default_probability, grade, rating_basis, model_version, publication_id) "
        "select rating_month, c.id, 'residential', c.score, c.probability, 'B', 'model', 'v1', publication_id "
        "from published, unnest(%s::text[], %s::float8[], %s::float8[]) as c (id, score, probability)",
        first,
        *(rows[name].tolist() for name in ("customer_id", "score", "default_probability")),
    )
