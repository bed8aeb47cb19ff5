"""k-means with names: what the groups are, and that they stay what they are."""

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from pipeline.scorecard import ModelFitError
from pipeline.scorecard.named_kmeans import NamedKMeans
from pipeline.scorecard.sql import stacked
from tests.support.nearest_centroid import nearest

ARCHETYPES = {"quiet": {}, "dark": {"outages": 1, "minutes": 1}, "in touch": {"contacts": 1}}
COLUMNS = ["outages", "minutes", "contacts"]
CENTRES = {"quiet": (1, 2, 0), "dark": (6, 9, 0), "in touch": (1, 2, 4)}


def named() -> NamedKMeans:
    return NamedKMeans(ARCHETYPES, COLUMNS, seed=3)


def table(rng, rows=400, spread=0.4) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows around each of the centres, and the name of the centre each was made from."""
    names = rng.choice(list(CENTRES), rows)
    values = np.array([CENTRES[name] for name in names]) + spread * rng.normal(size=(rows, len(COLUMNS)))
    return pd.DataFrame(values, columns=COLUMNS), names


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def test_groups_are_found_and_called_by_what_they_are(rng):
    frame, names = table(rng)
    assert list(nearest(named().fit(frame), frame)) == list(names)


def test_a_fit_is_where_lloyd_stops(rng):
    frame, _ = table(rng, spread=2.0)
    means = named().fit(frame)
    groups = nearest(means, frame)
    scaled = ((frame - frame.mean()) / frame.std(ddof=0)).clip(-3, 3)
    for name in ARCHETYPES:
        assert scaled[groups == name].mean().to_dict() == pytest.approx(means.standing(name), abs=1e-12)


def test_a_fit_that_starts_from_itself_stays_and_moves_nobody(rng):
    frame, _ = table(rng, spread=2.0)
    means = named().fit(frame)
    again = named().fit(frame, means.centroids_)
    for name, centroid in means.centroids_.items():
        assert again.centroids_[name] == pytest.approx(centroid, abs=1e-12)
    assert list(nearest(again, frame)) == list(nearest(means, frame))


def test_those_who_stay_keep_their_group_when_others_move(rng):
    frame, _ = table(rng, rows=2000, spread=2.0)
    means = named().fit(frame)
    later = frame.copy()
    moved = rng.random(len(frame)) < 0.2
    later.loc[moved] = table(rng, rows=int(moved.sum()), spread=2.0)[0].to_numpy() + 0.3
    kept = nearest(named().fit(later, means.centroids_), later)[~moved] == nearest(means, frame)[~moved]
    assert kept.mean() >= 0.95


@given(order=st.permutations(list(CENTRES)), names=st.permutations(list(CENTRES)), seed=st.integers(0, 2**16))
@settings(max_examples=25, deadline=None)
def test_a_group_is_called_as_the_earlier_one_it_lies_nearest_in_whatever_order_these_come(order, names, seed):
    frame, _ = table(np.random.default_rng(seed), rows=60)
    means = named().fit(frame)
    called = dict(zip(CENTRES, names, strict=True))
    before = {called[name]: means.centroids_[name] for name in order}
    renamed = named().fit(frame, before)
    assert [called[name] for name in nearest(means, frame)] == list(nearest(renamed, frame))
    assert renamed.centroids_ == named().fit(frame, dict(sorted(before.items()))).centroids_


def test_an_earlier_fit_of_other_names_is_of_no_account(rng):
    frame, _ = table(rng)
    before = {"a": dict.fromkeys(COLUMNS, 0.0), "b": dict.fromkeys(COLUMNS, 9.0)}
    assert named().fit(frame, before).centroids_ == named().fit(frame).centroids_


def test_a_column_that_only_one_of_two_fits_knows_does_not_upset_the_names(rng):
    frame, _ = table(rng)
    called = {"quiet": "dark", "dark": "in touch", "in touch": "quiet"}
    means = named().fit(frame)
    before = {called[name]: dict(list(centroid.items())[1:]) for name, centroid in means.centroids_.items()}
    assert list(nearest(named().fit(frame, before), frame)) == [called[name] for name in nearest(means, frame)]
    nothing_shared = {name: {"revenue": 1.0} for name in ARCHETYPES}
    assert list(nearest(named().fit(frame, nothing_shared), frame)) == list(nearest(means, frame))


def test_batches_and_threads_change_no_bit(rng):
    frame, _ = table(rng, rows=5000, spread=2.0)
    with threadpool_limits(4):
        four = named().fit(frame)
    with threadpool_limits(1):
        one = named().fit(frame)
    assert four.centroids_ == one.centroids_
    parts = [nearest(one, frame.iloc[at : at + 777]) for at in range(0, len(frame), 777)]
    assert list(np.concatenate(parts)) == list(nearest(one, frame))


def test_gaps_count_as_the_mean(rng):
    frame, _ = table(rng)
    means = named().fit(frame)
    gap = pd.DataFrame([{"outages": np.nan, "minutes": np.nan, "contacts": 4.0}])
    filled = gap.fillna(frame.mean())
    assert list(nearest(means, gap)) == list(nearest(means, filled)) == ["in touch"]
    frame.loc[::3, "minutes"] = np.nan
    assert np.isfinite(list(named().fit(frame).centroids_["dark"].values())).all()


def test_what_is_far_out_pulls_no_harder_than_three_deviations(rng):
    frame, _ = table(rng, rows=2000)
    frame.loc[0, "contacts"] = 1e6
    means = named().fit(frame)
    assert max(means.standing(name)["contacts"] for name in means.centroids_) <= 3
    assert len(means.centroids_) == 3


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_fewer_different_rows_than_names_make_fewer_groups(rows):
    frame = pd.DataFrame([CENTRES[name] for name in list(CENTRES)[:rows] * 2], columns=COLUMNS)
    means = named().fit(frame)
    assert len(means.centroids_) == rows
    assert list(nearest(means, frame)) == list(CENTRES)[:rows] * 2


def test_columns_in_which_all_are_alike_tell_nobody_apart(rng):
    frame, _ = table(rng)
    frame["contacts"] = 2.0
    assert set(named().fit(frame).scale_) == {"outages", "minutes"}
    same = pd.DataFrame([[1.0, np.nan, 3.0]] * 5, columns=COLUMNS)
    means = named().fit(same)
    assert means.scale_ == {}
    assert list(nearest(means, same)) == ["quiet"] * 5


def test_a_table_that_cannot_be_grouped_names_the_column(rng):
    frame, _ = table(rng)
    with pytest.raises(ModelFitError, match="minutes holds an infinite value"):
        named().fit(frame.assign(minutes=np.inf))
    with pytest.raises(ModelFitError, match="the training table is empty"):
        named().fit(frame.iloc[:0])


# Few different values, so that rows lie just between centroids, and some of any size.
LEVELS = st.none() | st.sampled_from([0.0, -0.0, 0.5, 1.0, 2.0, 1e-300]) | st.floats(-1e6, 1e6)
MEANS, DEVIATIONS = (
    st.sampled_from([0.0, 1.0]) | st.floats(-1e3, 1e3),
    st.sampled_from([0.5, 1.0]) | st.floats(0.1, 1e3),
)
SCALES = st.fixed_dictionaries({"mean": MEANS, "deviation": DEVIATIONS})


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_sql_finds_the_same_nearest_centroid_as_numpy_to_the_bit(data):
    columns = data.draw(st.lists(st.sampled_from(["a", "b b", 'c"']), unique=True))
    means = NamedKMeans({}, columns)
    means.scale_ = {column: data.draw(SCALES) for column in columns}
    centroid = st.fixed_dictionaries({column: LEVELS.filter(lambda level: level is not None) for column in columns})
    means.centroids_ = data.draw(st.dictionaries(st.sampled_from(["x", "it's", "y"]), centroid, min_size=1))
    rows = data.draw(st.lists(st.tuples(*[LEVELS for _ in columns]), min_size=1, max_size=30))
    frame = pd.DataFrame(rows, columns=columns, dtype="float64", index=range(len(rows)))
    with duckdb.connect() as database:
        database.register("rows", frame.assign(place=range(len(frame))))
        query = stacked("select * from rows", means.select_lists("duckdb"))
        found = database.sql(f"select nearest from ({query}) order by place").fetchall()
    assert [name for (name,) in found] == list(nearest(means, frame))
