"""The sensitivity of a family's ratings to one risk factor as one query over the month's indices and grades."""

from collections.abc import Sequence

from pipeline.customers.index_values import model_columns
from pipeline.engine import queries
from pipeline.engine.queries import DIALECT, Query
from pipeline.grading.grade_query import place_on_scale, rank_of
from pipeline.policy import Policy
from pipeline.policy.indices import Index
from pipeline.scorecard import CreditModel, ExpertScorecard
from pipeline.scorecard.expert import BANDS
from pipeline.scorecard.sql import case, number, stacked, text

# What is summed is rounded to this part of one first, so that sums are exact ...
FINE = 1e9
# ... and scores are summed in thousands, as a float counts that many fine units exactly.
SCORE_UNIT = 1000


def sensitivity_query(
    factor: str, names: Sequence[str], family: str, model: CreditModel | ExpertScorecard, policy: Policy
) -> Query:
    """Rows as sql/lake/grading/shocked_customers.sql says, from views ``indices``, ``grades`` and ``shocks``.

    ``names``: the indices of the factor that enter the family's score. ``shocks`` has one column, shock: a share, or
    null for how things are.
    """
    indices = {name: policy.indices[name] for name in names}
    banded = [name for name in names if f"{name}_band" in model.columns]
    stored = [f"{name}_band_stored" for name in banded]
    letters = [", ".join(f"{_band(name, indices[name])} as {name}_band" for name in banded)] if banded else []
    graded = queries.filled(
        "customers_to_shock",
        values=model_columns(names),
        bands="".join(f", i.{name}_band as {name}_band_stored" for name in banded),
        rank=place_on_scale("g.grade", policy.grades),
        family=text(family),
    )
    of_factor = {*names, *(f"{name}_band" for name in banded)}
    linear = [points for column, points in model.linear_points_sql(DIALECT).items() if column in of_factor]
    points = " + ".join(f"({column})" for column in linear) or "0e0"
    cutoffs = policy.grades.cutoffs
    by_probability = rank_of("probability_after", cutoffs)
    as_it_is = stacked(
        graded,
        [
            *letters,
            *model.points_at_sql("score"),
            f"{points} as points_before, {rank_of(_probability('score', model), cutoffs)} as rank_by_score",
            # Rules that set a grade hold whatever the score. Any other is a ceiling, which gives no better grade.
            "is_set_by_rule or rank < rank_by_score as is_set, "
            "case when rank > rank_by_score then rank else 0 end as ceiling",
            "case when is_set then rank else greatest(rank_by_score, ceiling) end as rank_before",
        ],
    )
    kept = "segment, score, is_in_default, points_at_score, points_before, is_set, ceiling, rank, rank_before, shock"
    shocked = [f"{_shocked(name, index)} as {name}" for name, index in indices.items()]
    under_shocks = f"select {', '.join([kept, *shocked, *stored])} from ({as_it_is}) cross join shocks"
    value = " + ".join(f"coalesce({_evaluation(name, index)}, 0e0)" for name, index in indices.items())
    known = " + ".join(f"case when {name} is null then 0e0 else 1e0 end" for name in names)
    rated = stacked(
        under_shocks,
        [
            *letters,
            f"(0e0 + {value}) / nullif({known}, 0e0) as evaluation, {points} - points_before as gained",
            *model.score_at_sql("(points_at_score + gained)"),
            "case when gained = 0e0 then score else score_at_points end as score_after",
            f"{_probability('score_after', model)} as probability_after",
            f"case when is_set then rank else greatest({by_probability}, ceiling) end as rank_after",
        ],
    )
    return queries.query(
        "shocked_customers",
        risk_factor=text(factor),
        rated=rated,
        fine=number(FINE),
        score_unit=number(SCORE_UNIT),
    )


def _probability(score: str, model: CreditModel | ExpertScorecard) -> str:
    return case(("is_in_default", "1e0"), otherwise=model.probability_sql(score))


def _shocked(name: str, index: Index) -> str:
    """``scorecard.shock.shocked``."""
    sign = "" if index.direction == "+" else "-"
    return f"{name} + {sign}coalesce(shock, 0e0) * abs({name})"


def _goodness(name: str, index: Index) -> tuple[str, list[float]]:
    """The value turned so that more is better, and the bounds of A, B and C."""
    if index.direction == "+":
        return name, [float(bound) for bound in index.bands]
    return f"(-{name})", [-float(bound) for bound in index.bands]


def _band(name: str, index: Index) -> str:
    """``scorecard.bands.band``; that of a missing value is as it was."""
    good, bounds = _goodness(name, index)
    reached = [(f"{good} >= {number(bound)}", text(letter)) for letter, bound in zip(BANDS, bounds, strict=False)]
    return case((f"{name} is null", f"{name}_band_stored"), *reached, otherwise=text(BANDS[-1]))


def _evaluation(name: str, index: Index) -> str:
    """``scorecard.bands.evaluation``."""
    good, (a, b, c) = _goodness(name, index)
    at, worth = [c - (b - c), c, b, a], [0, 1 / 3, 2 / 3, 1]
    pieces = []
    for place in (2, 1, 0):
        if at[place + 1] > at[place]:
            slope = (worth[place + 1] - worth[place]) / (at[place + 1] - at[place])
            value = f"{number(slope)} * ({good} - {number(at[place])}) + {number(worth[place])}"
            pieces.append((f"{good} >= {number(at[place])}", value))
    return case((f"{name} is null", "null"), (f"{good} >= {number(a)}", "1e0"), *pieces, otherwise="0e0")
