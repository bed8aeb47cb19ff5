"""A challenger beside the champion: how both grade the customers of a published month, for the shadow months."""

from typing import Any

from pipeline.engine import Engine, open_engine, queries
from pipeline.lake import Lake
from pipeline.models import drift
from pipeline.models.in_force import fitted, lacking
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import LogOddsModel
from pipeline.settings import Settings
from pipeline.warehouse import model_registry


def pairs(
    month: RatingMonth, settings: Settings, policy: Policy, champions: dict[str, model_registry.Model], *, basis: str
) -> list[dict[str, Any]]:
    """Rows of rating.shadow_grades: customers by the champion's grade and that of each challenger in its shadow months,
    by the models alone, before any rule that follows them."""
    lake, rows = Lake.of(settings), []
    first = month - policy.promotion.shadow_months + 1
    with open_engine(settings) as engine:
        for view in ("grades", "indices"):
            engine.bind_files(view, lake.files(view, rating_month=month, basis=basis))
        for challenger in model_registry.models(settings):
            champion = champions.get(challenger.family)
            is_in_shadow = (
                challenger.has_passed
                and not challenger.is_trial
                and first <= challenger.trained_month <= month
                and (challenger.status == "challenger" or challenger.effective_from > month)
            )
            if champion is not None and is_in_shadow and not lacking(challenger, policy):
                both = {"segment": champion.family, "champion": champion.version, "challenger": challenger.version}
                rows += [both | row for row in _pairs(engine, policy, champion.family, fitted(challenger))]
    return rows


def _pairs(engine: Engine, policy: Policy, family: str, challenger: LogOddsModel) -> list[dict[str, Any]]:
    query = queries.query(
        "shadow_grades",
        input=drift.model_input(challenger),
        probability=challenger.to_sql(queries.DIALECT, "default_probability"),
        champion_grade=_grade_sql("g.default_probability", policy),
        challenger_grade=_grade_sql("s.default_probability", policy),
    )
    names = {f"grade_{place}": name for place, name in enumerate(policy.grades.names)}
    bounds = {f"cutoff_{place}": bound for place, bound in enumerate(policy.grades.cutoffs)}
    return engine.fetch(query, {"family": family, "worst": policy.grades.names[-1], **names, **bounds}).to_pylist()


def _grade_sql(probability: str, policy: Policy) -> str:
    """The grade of a probability, with the policy's names and bounds as parameters."""
    last = len(policy.grades.cutoffs)
    whens = " ".join(f"when {probability} < :cutoff_{place} then :grade_{place}" for place in range(last))
    return f"case {whens} else :grade_{last} end"
