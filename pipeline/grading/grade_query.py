"""Grading as one query: the models, the scale and the rules of ``rules`` as SQL over the month's indices.

It gives the same values as a model and ``rules.apply`` give in Python, to the bit.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.customers.index_values import model_columns, rule_facts
from pipeline.engine import queries
from pipeline.engine.queries import DIALECT, Query
from pipeline.errors import ModelError
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.policy.grades import GradeRules, Grades
from pipeline.scorecard import CreditModel, ExpertScorecard
from pipeline.scorecard.sql import case, number, stacked, text
from pipeline.warehouse.monthly_tables import REASONS

Models = Mapping[str, tuple[str, CreditModel | ExpertScorecard]]
"""Version and model of each family."""
_REASONS = [f"reason_{position}" for position in range(1, REASONS + 1)]


def grade_query(month: RatingMonth, models: Models, policy: Policy) -> Query:
    """Rows as rating.credit_grades by customer_id, from views ``indices``, ``previous`` and ``decided``.

    ModelError where a model needs an index that does not enter its family's score.
    """
    grades = policy.grades
    steps = list(_steps(policy.grade_rules, grades))
    return queries.query(
        "graded_customers",
        scored="\nunion all\n".join(_scored(month, family, *model, policy) for family, model in models.items()),
        model_rank=rank_of("default_probability", grades.cutoffs),
        **{
            f"{kind}_rank": place_on_scale(f"{view}.{column}", grades)
            for kind, view, column in (
                ("previous", "p", "grade"),
                ("override", "d", "override_grade"),
                ("veto", "d", "veto_grade"),
            )
        },
        ruling=_ruling(steps),
        model_grade=_name("rank_0", grades),
        grade=_name(f"rank_{len(steps)}", grades),
        notch_change=f"case when previous_rank >= 0 then cast(previous_rank - rank_{len(steps)} as integer) end",
        rating_basis=_last(steps, "basis", otherwise="given_by"),
        grade_rule=_last(steps, "rule", otherwise="null"),
        reasons=", ".join(_REASONS),
    )


def _scored(month: RatingMonth, family: str, version: str, model: CreditModel | ExpertScorecard, policy: Policy) -> str:
    """The query of one family's customers."""
    scored = policy.scored(family)
    known = {*scored, *(f"{name}_band" for name in scored)}
    if absent := [column for column in model.columns if column not in known]:
        raise ModelError(
            f"{month}: model {version} needs {', '.join(absent)}, which the score of {family} lacks; the policy's "
            "indices have changed since: rate with mode retrain"
        )
    facts = ", ".join(rule_facts())
    customers = queries.filled(
        "customers_to_score",
        rule_facts=facts,
        values=model_columns(scored, "indices"),
        bands=", ".join(f"{name}_band" for name in scored),
        family=text(family),
    )
    costs = list(_costs(model, policy))
    return queries.filled(
        "scored_customers",
        by_model=stacked(customers, model.select_lists(DIALECT)),
        costs=", ".join(costs),
        reasons=", ".join(
            f"case when costs[{place}].points < 0e0 then costs[{place}].code end as {name}"
            if place <= len(costs)
            else f"cast(null as varchar) as {name}"
            for place, name in enumerate(_REASONS, start=1)
        ),
        version=text(version),
        given_by=text("expert" if isinstance(model, ExpertScorecard) else "model"),
        rule_facts=facts,
    )


def _costs(model: CreditModel | ExpertScorecard, policy: Policy) -> Iterator[str]:
    """Of each index: the points that it takes away (below zero), its place and its code. An index of band A, or one of
    which nothing is known, takes none away."""
    for place, (column, points) in enumerate(model.reason_points_sql(DIALECT).items()):
        name = column.removesuffix("_band")
        is_fault = f"{name} is not null and {name}_band is distinct from 'A'"
        taken = case((is_fault, f"least({points}, 0e0)"), otherwise="0e0")
        yield f"{{'points': {taken}, 'place': {place}, 'code': {text(policy.indices[name].code)}}}"


class _Step(NamedTuple):
    """A rule: where it holds it sets the rank, and says what the grade rests on (None: as it was)."""

    holds: str
    rank: str
    basis: str | None
    rule: str


def _steps(rules: GradeRules, grades: Grades) -> Iterator[_Step]:
    """The rules of ``rules.apply``, in its order; ``{rank}`` in place of the rank that the ones before gave."""

    def cap(holds: str, ceiling: str, basis: str | None, rule: str) -> _Step:
        return _Step(f"{holds} and {{rank}} < {ceiling}", ceiling, basis, rule)

    def rank(grade: str | None) -> int:
        return grades.names.index(grade) if grade else 0

    has_previous = "previous_rank >= 0"
    if new := rules.new_customer:
        yield cap("is_new", f"{rank(new.ceiling)}", "new", "new_customer")
    if promotion := rules.promotion:
        cutoffs = [cutoff * (1 - promotion.buffer) for cutoff in grades.cutoffs]
        within_buffer = f"least({rank_of('default_probability', cutoffs)}, previous_rank)"
        yield cap(has_previous, within_buffer, None, "promotion_buffer")
        yield cap(has_previous, f"previous_rank - {promotion.max_notches}", None, "notch_limit")
    if unpaid := rules.unpaid_balance:
        yield cap("has_unpaid_balance", f"{rank(unpaid.ceiling)}", "veto", "unpaid_balance")
    if probation := rules.probation:
        yield cap("is_on_probation", f"{rank(probation.ceiling)}", "veto", "probation")
    for name, veto in rules.vetoes:
        if veto:
            yield cap(f"has_{name}", f"greatest(previous_rank, {rank(veto.ceiling)})", "veto", name)
    worst = f"{len(grades.names) - 1}"
    yield _Step("is_in_default", worst, "default", "default")
    yield _Step("is_in_default and is_default_by_register", worst, "default", "default_by_register")
    yield _Step("override_rank >= 0", "override_rank", "override", "override")
    yield cap("veto_rank >= 0", "veto_rank", "veto", "manual_veto")


def _ruling(steps: Sequence[_Step]) -> str:
    """A query over ``ranked`` with the rank after each step, and whether the step held."""
    query = "select * from ranked"
    for before, step in enumerate(steps):
        holds = step.holds.format(rank=f"rank_{before}")
        rank = case((holds, step.rank), otherwise=f"rank_{before}")
        query = f"select *, {holds} as holds_{before + 1}, {rank} as rank_{before + 1} from ({query})"
    return query


def _last(steps: Sequence[_Step], what: str, otherwise: str) -> str:
    """The basis or the rule of the last step that held and has one."""
    named = [(f"holds_{place}", getattr(step, what)) for place, step in enumerate(steps, start=1)]
    return case(*((holds, text(name)) for holds, name in reversed(named) if name), otherwise=otherwise)


def rank_of(probability: str, cutoffs: Sequence[float]) -> str:
    """How many cutoffs the probability has reached."""
    reached = [(f"{probability} >= {number(cutoff)}", f"{n}") for n, cutoff in enumerate(cutoffs, start=1)]
    return case(*reversed(reached), otherwise="0")


def place_on_scale(grade: str, grades: Grades) -> str:
    """The rank of a grade, -1 where there is none or it is not on the scale (any more)."""
    return case(*((f"{grade} = {text(name)}", f"{n}") for n, name in enumerate(grades.names)), otherwise="-1")


def _name(rank: str, grades: Grades) -> str:
    return case(*((f"{rank} = {n}", text(name)) for n, name in enumerate(grades.names)), otherwise="null")
