import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scorecard import GradeScale, ModelFitError


@pytest.mark.parametrize(
    ("probability", "grade"),
    [
        (0, "AAA"),
        (0.00499, "AAA"),
        (0.005, "AA"),
        (0.01, "A"),
        (0.02, "B"),
        (0.05, "C"),
        (0.149, "C"),
        (0.15, "D"),
        (1, "D"),
    ],
)
def test_a_cutoff_belongs_to_the_worse_grade(probability, grade):
    assert GradeScale().grade(probability) == grade
    assert GradeScale().grade([probability]).tolist() == [grade]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_grade_never_improves_as_the_probability_rises(probabilities):
    scale = GradeScale()
    places = [scale.names.index(grade) for grade in scale.grade(np.sort(probabilities))]
    assert places == sorted(places)


@pytest.mark.parametrize("bad", [-0.01, 1.01, np.nan, np.inf])
def test_refuses_what_is_no_probability(bad):
    with pytest.raises(ModelFitError):
        GradeScale().grade([0.1, bad])


@pytest.mark.parametrize(
    ("names", "cutoffs"),
    [
        (("A", "B"), (0.1, 0.2)),
        (("A", "B", "C"), (0.2, 0.1)),
        (("A", "B", "C"), (0.2, 0.2)),
        (("A", "B"), (0.0,)),
        (("A", "B"), (1.0,)),
        (("A", "B"), (np.nan,)),
        (("A", "A"), (0.5,)),
    ],
)
def test_refuses_a_scale_without_order(names, cutoffs):
    with pytest.raises(ModelFitError):
        GradeScale(names, cutoffs)
