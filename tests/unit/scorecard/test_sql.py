"""One model, three engines: numpy, DuckDB and PostgreSQL give the same number."""

import duckdb
import numpy as np
import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.api.types import is_numeric_dtype

from pipeline.scorecard import CreditModel, ExpertScorecard, ModelFitError

QUANTITIES = ("score", "default_probability", "log_odds")
COLUMNS = ["days late", "grade_code", "kwh", "trend", "band", 'odd"band']


def drawn(rows, seed):
    """Columns of heavy tails, codes and gaps; bands; and the labels to fit on."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "days late": np.round(rng.exponential(8, rows) ** 1.3),
            "grade_code": rng.choice([1.0, 2, 3, 96, 98], rows),
            "kwh": rng.lognormal(6, 1, rows),
            "trend": rng.normal(size=rows),
        }
    )
    risk = frame["days late"] / 20 + (frame["grade_code"] == 96) - frame["trend"] - 3
    default = (rng.logistic(size=rows) < risk).astype(int).to_numpy()
    frame = frame.mask(rng.random(frame.shape) < 0.2)
    letters = rng.choice(np.array(["A", "B", "C", "D", None], dtype=object), (rows, 2))
    return frame.assign(band=letters[:, 0], **{'odd"band': letters[:, 1]}), default


@pytest.fixture(scope="module")
def models():
    frame, default = drawn(4000, seed=1)
    numbers = frame[COLUMNS[:4]]
    return {
        "values": CreditModel().fit(numbers, default, fill={"trend": -9.0}, sentinels={"grade_code": (96, 98)}),
        "woe": CreditModel().fit(
            numbers, default, binned=("days late", "grade_code"), sentinels={"grade_code": (96, 98)}
        ),
        "expert": ExpertScorecard(-4.5, {"band": 0.5, 'odd"band': 0.7}),
    }


@pytest.fixture(scope="module")
def in_postgres(databases, tmp_path_factory):
    """``in_postgres(frame)`` puts it into table ``customers`` and gives a function that selects an expression."""
    with databases(tmp_path_factory.mktemp("scores")) as settings:
        url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:

            def load(frame):
                types = {name: "double precision" if is_numeric_dtype(frame[name]) else "text" for name in frame}
                names = {name: '"' + name.replace('"', '""') + '"' for name in frame}
                connection.execute("drop table if exists customers")
                columns = ", ".join(f"{names[name]} {kind}" for name, kind in types.items())
                connection.execute(f"create table customers (place integer, {columns})")
                with connection.cursor().copy("copy customers from stdin") as copy:
                    for row in frame.astype(object).where(frame.notna(), None).itertuples(name=None):
                        copy.write_row(row)

                def select(expression):
                    return np.array(
                        [value for (value,) in connection.execute(f"select {expression} from customers order by place")]
                    )

                return select

            yield load


def in_duckdb(frame):
    duckdb.register("customers", frame)
    return lambda expression: duckdb.sql(f"select {expression} as found from customers").fetchnumpy()["found"]


def agree(models, frame, duck, postgres):
    for model in models.values():
        numbers = {"score": model.score, "default_probability": model.default_probability, "log_odds": model.log_odds}
        for quantity in QUANTITIES:
            expected = numbers[quantity](frame)
            for dialect, select in (("duckdb", duck), ("postgresql", postgres)):
                found = select(model.to_sql(dialect, quantity))
                np.testing.assert_allclose(found.astype(float), expected, rtol=1e-12, atol=1e-12)


def test_three_engines_agree_on_every_row(models, in_postgres):
    frame, _ = drawn(20_000, seed=2)
    # And where a rounding would show: on the limits and edges themselves, far outside, on the codes.
    for column, index in (models["woe"].transformer_.indices_ | models["values"].transformer_.indices_).items():
        limits = [index.get("lower", 0), index.get("upper", 0), *models["woe"].monitoring.bins[column].edges]
        limits += models["woe"].transformer_.indices_[column].get("woe", {}).get("edges", [])
        frame.loc[: len(limits) - 1, column] = limits
    frame.loc[50, COLUMNS[:4]] = [1e300, -1e300, 0.0, 96.0]
    frame.loc[51, COLUMNS] = [np.nan] * 4 + [None] * 2
    agree(models, frame, in_duckdb(frame), in_postgres(frame))


@pytest.mark.slow
def test_three_engines_agree_on_a_million_rows(models, in_postgres):
    frame, _ = drawn(1_000_000, seed=3)
    agree(models, frame, in_duckdb(frame), in_postgres(frame))


value = st.one_of(st.none(), st.floats(-1e9, 1e9), st.sampled_from([96.0, 98.0, 0.0, -0.0]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(value, value, value, value), min_size=1, max_size=20))
def test_duckdb_agrees_on_whatever_numbers(models, rows):
    frame = pd.DataFrame(rows, columns=COLUMNS[:4], dtype=float)
    for kind in ("values", "woe"):
        found = in_duckdb(frame)(models[kind].to_sql("duckdb"))
        np.testing.assert_allclose(found, models[kind].score(frame), rtol=1e-12)


@pytest.mark.parametrize("kind", ["decimal(18,2)", "real", "bigint"])
def test_a_column_of_another_numeric_type_is_read_as_the_double_it_is(models, kind):
    frame, _ = drawn(2000, seed=4)
    table = duckdb.connect()
    table.register("customers", frame.round(0))
    columns = ", ".join(f'cast("{name}" as {kind}) as "{name}"' for name in COLUMNS[:4])
    found = table.sql(f"select {models['woe'].to_sql('duckdb')} as found from (select {columns} from customers)")
    np.testing.assert_allclose(found.fetchnumpy()["found"], models["woe"].score(frame.round(0)), rtol=1e-12)


def test_a_letter_that_is_no_band_has_no_score(models, in_postgres):
    frame = pd.DataFrame({"band": ["A", "Z"], 'odd"band': ["B", "B"]}, dtype=object)
    for dialect, select in (("duckdb", in_duckdb(frame)), ("postgresql", in_postgres(frame))):
        expression = models["expert"].to_sql(dialect)
        assert select(f"({expression}) is null").tolist() == [False, True]


def test_a_probability_of_huge_log_odds_is_no_overflow(in_postgres):
    sure = ExpertScorecard(-900, {"band": 600})
    frame = pd.DataFrame({"band": ["A", "D"]}, dtype=object)
    for dialect, select in (("duckdb", in_duckdb(frame)), ("postgresql", in_postgres(frame))):
        found = select(sure.to_sql(dialect, "default_probability")).astype(float)
        np.testing.assert_allclose(found, sure.default_probability(frame), atol=1e-299)


@pytest.mark.parametrize(("arguments", "message"), [(("oracle",), "dialect 'oracle'"), (("duckdb", "odds"), "'odds'")])
def test_refuses_what_there_is_no_sql_of(models, arguments, message):
    for model in models.values():
        with pytest.raises(ModelFitError, match=message):
            model.to_sql(*arguments)
