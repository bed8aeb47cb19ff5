"""The model registry: nothing is lost, nothing changes, each month has its model."""

import json
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.errors import ModelError
from pipeline.month import RatingMonth
from pipeline.scorecard import CreditModel, ExpertScorecard
from pipeline.warehouse import migrations, model_registry
from pipeline.warehouse.connection import transaction

JANUARY, JUNE = RatingMonth(2026, 1), RatingMonth(2026, 6)


def register(settings, version="v1", family="residential", month=JANUARY, parameters=None):
    return model_registry.register(
        settings,
        version=version,
        family=family,
        effective_from=month,
        parameters=parameters or {"version": version},
        metrics={},
        input_sha256="i" * 64,
        policy_sha256="p" * 64,
    )


def bits(numbers):
    return [struct.pack("d", number) for number in numbers]


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_every_float_comes_back_to_the_bit(settings, numbers):
    numbers += [-0.0, 1e22, 5e-324, 1.7976931348623157e308, 0.1 + 0.2]
    version = f"v{abs(hash(tuple(bits(numbers))))}"
    register(settings, version, parameters={"z": numbers, "a": {"ключ \u0001": "значение"}})
    back = model_registry.model(settings, version).parameters
    assert list(back) == ["z", "a"]
    assert bits(back["z"]) == bits(numbers)
    assert all(isinstance(number, float) for number in back["z"])


def test_registering_again_changes_nothing(settings):
    first = register(settings)
    assert register(settings) == first
    assert first.status == "challenger"
    with pytest.raises(ModelError, match="v1 is already registered with other parameters"):
        register(settings, parameters={"other": 1})
    assert model_registry.models(settings) == [first]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused(settings, number):
    with pytest.raises(ModelError, match="v1 cannot be stored"):
        register(settings, parameters={"a": [number]})


@pytest.fixture(scope="module")
def fisher():
    """A discriminant of two indices, one of them with gaps."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300)})
    default = (frame["a"] + rng.logistic(size=300) > 1).astype(int)
    frame.loc[::7, "b"] = np.nan
    return CreditModel().fit(frame, default)


EXPERT = ExpertScorecard(-5.0, {"a_band": 0.5}, missing_level=1.5)
TERMS = "select * from rating.model_coefficients order by version, term"


def test_the_terms_of_a_score_can_be_read_in_sql(settings, sql, fisher):
    register(settings, "expert", parameters=EXPERT.to_dict())
    register(settings, "v1", parameters=fisher.to_dict())
    assert sql(
        "select term, kind, index_name, coefficient, points_per_unit from rating.model_coefficients "
        "where version = 'v1' and index_name is distinct from 'a' order by term"
    ) == [
        ("b", "value", "b", fisher.discriminant_.coef_[0][1], pytest.approx(-points(fisher, "b"))),
        ("b_missing", "missing", "b", fisher.discriminant_.coef_[0][2], pytest.approx(-points(fisher, "b_missing"))),
        ("intercept", "base", None, fisher.discriminant_.intercept_[0], fisher.base_score_),
    ]
    factor = EXPERT.scorecard.factor
    assert sql(
        "select term, index_name, coefficient, points, points_missing from rating.model_coefficients "
        "where version = 'expert' and kind = 'band'"
    ) == [("a_band", "a", 0.5, pytest.approx([0, -0.5 * factor, -factor, -1.5 * factor]), -0.75 * factor)]


def points(model, feature):
    """What one more standard deviation of a feature takes from the score."""
    weight = model.discriminant_.coef_[0][list(model.transformer_.features_).index(feature)]
    return model.scorecard.factor * model.calibrator_.slope_ * weight


def test_a_document_that_says_it_is_a_model_and_is_none_is_refused(settings, sql):
    with pytest.raises(ModelError, match=r"model v1 cannot be used: .* lacks 'transform'"):
        register(settings, parameters={"format": 1, "kind": "fisher_lda", "scorecard": {}})
    assert model_registry.models(settings) == []


def test_models_of_an_older_warehouse_get_their_terms_when_it_is_migrated(settings, sql, fisher):
    """Registered in the old warehouse as the old registry did, and in the new one: the same terms."""
    register(settings, "expert", parameters=EXPERT.to_dict())
    register(settings, "v1", parameters=fisher.to_dict())
    register(settings, "odd", parameters={"version": "odd"})
    models, terms = sql("select * from rating.models order by version"), sql(TERMS)
    sql("drop schema rating, ops, report cascade")
    migrate_to(settings, "0001_initial")
    for model in models:
        sql(
            "insert into rating.models (version, segment, status, effective_from_month, parameters, parameters_sha256, "
            "metrics, input_sha256, policy_sha256) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            *[json.dumps(value) if isinstance(value, dict) else value for value in model[:9]],
        )
    for version, term, coefficient, *_ in terms:
        sql("insert into rating.model_coefficients values (%s, %s, %s)", version, term, coefficient)
    migrations.migrate(settings)
    backfilled = sql(TERMS)
    assert len(backfilled) == len(terms) == 6
    for old, new in zip(backfilled, terms, strict=True):
        assert old == tuple(pytest.approx(v, rel=1e-12) if isinstance(v, float | list) else v for v in new)


def migrate_to(settings, revision):
    with transaction(settings) as connection:
        for name in migrations._migrations():
            if name <= revision:
                migrations._run(connection, name)


def test_an_old_month_keeps_the_model_that_was_in_force(settings):
    register(settings, "v1", month=JANUARY)
    assert model_registry.champion(settings, "residential", JUNE) is None
    model_registry.promote(settings, "v1", "policy")
    register(settings, "v2", month=JUNE)
    assert model_registry.champion(settings, "residential", JUNE).version == "v1"
    promoted = model_registry.promote(settings, "v2", "A. Person")
    assert (promoted.status, promoted.approved_by) == ("champion", "A. Person")
    assert model_registry.promote(settings, "v2", "somebody else") == promoted

    assert model_registry.champion(settings, "residential", JANUARY - 1) is None
    assert model_registry.champion(settings, "residential", JUNE - 1).version == "v1"
    assert model_registry.champion(settings, "residential", JUNE + 30).version == "v2"
    assert model_registry.champion(settings, "non_residential", JUNE) is None
    assert [model.status for model in model_registry.models(settings)] == ["retired", "champion"]


def test_promoting_at_once_leaves_one_champion(settings):
    versions = [f"v{number}" for number in range(6)]
    for version in versions:
        register(settings, version)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda version: model_registry.promote(settings, version, "policy"), versions))
    assert sorted(model.status for model in model_registry.models(settings)) == ["champion"] + ["retired"] * 5


def test_an_unknown_version_cannot_be_promoted(settings):
    with pytest.raises(ModelError, match="v9 is not registered"):
        model_registry.promote(settings, "v9", "policy")


def test_a_promotion_takes_effect_from_its_month_until_the_next(settings):
    for version in ("v1", "v2"):
        register(settings, version)
    model_registry.promote(settings, "v1", "policy", from_month=JANUARY)
    model_registry.promote(settings, "v2", "A. Person", from_month=JUNE, reason="better")
    assert model_registry.promotions(settings, "v2") == [
        model_registry.Promotion("v2", JUNE, "A. Person", model_registry.model(settings, "v2").approved_at, "better")
    ]
    assert model_registry.model(settings, "v1").retired_from_month == JUNE
    assert model_registry.model(settings, "v2").effective_from == JUNE

    model_registry.promote(settings, "v1", "B. Person", from_month=JUNE + 6)  # back to the old one
    in_force = [model_registry.champion(settings, "residential", month).version for month in (JUNE - 1, JUNE, JUNE + 6)]
    assert in_force == ["v1", "v2", "v1"]
    first, second = model_registry.models(settings)
    assert (first.status, first.effective_from, first.retired_from_month) == ("champion", JANUARY, None)
    assert (second.status, second.retired_from_month) == ("retired", JUNE + 6)
    assert second.retired_at is not None


def test_an_older_month_gets_a_model_of_its_own_without_a_second_champion(settings):
    for version in ("v1", "v2"):
        register(settings, version)
    model_registry.promote(settings, "v1", "policy", from_month=JUNE)
    older = model_registry.promote(settings, "v2", "policy", from_month=JANUARY)
    assert (older.status, older.retired_from_month) == ("retired", JUNE)
    assert model_registry.champion(settings, "residential", JUNE - 1).version == "v2"
    assert model_registry.champion(settings, "residential", JUNE).version == "v1"


def test_without_a_month_no_published_month_is_rated_otherwise(settings, sql):
    publish(sql, JUNE + 2)
    register(settings, "v1", month=JANUARY)
    assert model_registry.promote(settings, "v1", "A. Person").effective_from == JUNE + 3
    register(settings, "v2", month=JUNE + 9)
    assert model_registry.promote(settings, "v2", "A. Person").effective_from == JUNE + 9


def test_a_verdict_is_kept_with_the_version(settings):
    gates = [{"gate": "auc", "passed": False, "is_hard": True, "value": 0.5, "limit": 0.6, "detail": ""}]
    assert register(settings).gates is None
    judged = model_registry.judge(settings, "v1", gates, False)
    assert (judged.gates, judged.has_passed) == (gates, False)
    assert model_registry.model(settings, "v1") == judged


def test_who_may_take_over_passed_is_younger_and_no_trial(settings, sql):
    def pending(month, shadow_months=0):
        found = model_registry.pending(settings, "residential", month, shadow_months)
        return found and found.version

    register(settings, "old", month=JANUARY)
    model_registry.promote(settings, "old", "policy")
    for version, month, has_passed in (("failed", JUNE, False), ("older", JANUARY - 1, True), ("fit", JUNE, True)):
        register(settings, version, month=month)
        model_registry.judge(settings, version, [], has_passed)
    model_registry.register(
        settings,
        version="trial",
        family="residential",
        effective_from=JUNE + 1,
        parameters={"a": 1},
        metrics={},
        input_sha256="i",
        policy_sha256="p",
        is_trial=True,
    )
    model_registry.judge(settings, "trial", [], True)
    assert pending(JUNE - 1) is None
    assert [pending(JUNE + months) for months in (0, 1, 9)] == ["fit"] * 3
    assert [pending(JUNE + months, 2) for months in (1, 2)] == [None, "fit"]
    publish(sql, JUNE + 3)
    assert [pending(JUNE + months) for months in (2, 3, 4)] == [None, None, "fit"]


def publish(sql, month):
    sql(
        "insert into ops.publications (publication_id, rating_month, revision, basis, rows, content_sha256, "
        "input_sha256, policy_sha256, model_sha256, model_versions, run_id, run_kind, is_latest_month) "
        "values (gen_random_uuid(), %s, 1, 'as_known_then', 1, 'c', 'i', 'p', 'm', '{}', 't', 'command', true)",
        month.first_day,
    )
