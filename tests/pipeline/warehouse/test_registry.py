"""The model registry: nothing is lost, nothing changes, each month has its model."""

import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.errors import ModelError
from pipeline.month import RatingMonth
from pipeline.warehouse import registry

JANUARY, JUNE = RatingMonth(2026, 1), RatingMonth(2026, 6)


def register(settings, version="v1", family="residential", month=JANUARY, parameters=None):
    return registry.register(
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
    version = str(hash(tuple(bits(numbers))))
    register(settings, version, parameters={"z": numbers, "a": {"ключ \u0001": "значение"}})
    back = registry.model(settings, version).parameters
    assert list(back) == ["z", "a"]
    assert bits(back["z"]) == bits(numbers)
    assert all(isinstance(number, float) for number in back["z"])


def test_registering_again_changes_nothing(settings):
    first = register(settings)
    assert register(settings) == first
    assert first.status == "challenger"
    with pytest.raises(ModelError, match="v1 is already registered with other parameters"):
        register(settings, parameters={"other": 1})
    assert registry.models(settings) == [first]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused(settings, number):
    with pytest.raises(ModelError, match="v1 cannot be stored"):
        register(settings, parameters={"a": [number]})


def test_coefficients_can_be_read_in_sql(settings, sql):
    discriminant = {"features": ["a", "b"], "coefficients": [0.5, -1.25], "intercept": 3.0}
    register(settings, parameters={"discriminant": discriminant})
    register(settings, "expert", parameters={"intercept": -5.0, "weights": {"a": 0.5}})
    assert sql("select version, term, coefficient from rating.model_coefficients order by 1, 2") == [
        ("expert", "a", 0.5),
        ("expert", "intercept", -5.0),
        ("v1", "a", 0.5),
        ("v1", "b", -1.25),
        ("v1", "intercept", 3.0),
    ]


def test_an_old_month_keeps_the_model_that_was_in_force(settings):
    register(settings, "v1", month=JANUARY)
    assert registry.champion(settings, "residential", JUNE) is None
    registry.promote(settings, "v1", "policy")
    register(settings, "v2", month=JUNE)
    assert registry.champion(settings, "residential", JUNE).version == "v1"
    promoted = registry.promote(settings, "v2", "A. Person")
    assert (promoted.status, promoted.approved_by) == ("champion", "A. Person")
    assert registry.promote(settings, "v2", "somebody else") == promoted

    assert registry.champion(settings, "residential", JANUARY - 1) is None
    assert registry.champion(settings, "residential", JUNE - 1).version == "v1"
    assert registry.champion(settings, "residential", JUNE + 30).version == "v2"
    assert registry.champion(settings, "non_residential", JUNE) is None
    assert [model.status for model in registry.models(settings)] == ["retired", "champion"]


def test_promoting_at_once_leaves_one_champion(settings):
    versions = [f"v{number}" for number in range(6)]
    for version in versions:
        register(settings, version)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda version: registry.promote(settings, version, "policy"), versions))
    assert sorted(model.status for model in registry.models(settings)) == ["champion"] + ["retired"] * 5


def test_an_unknown_version_cannot_be_promoted(settings):
    with pytest.raises(ModelError, match="v9 is not registered"):
        registry.promote(settings, "v9", "policy")
