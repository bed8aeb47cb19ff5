"""The whole explanation of a customer's published grade."""

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.basis import Basis
from pipeline.grading.explain import texts
from pipeline.grading.explain.counterfactual import Move, NextGrade, next_grade
from pipeline.grading.explain.published_rating import Definition, Published, read
from pipeline.grading.explain.standing import Rule, standing
from pipeline.grading.reasons import reasons_against
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.scorecard import GradeScale
from pipeline.settings import Settings
from pipeline.warehouse import overrides
from pipeline.warehouse.monthly_tables import REASONS

_REASONS = tuple(f"reason_{position}" for position in range(1, REASONS + 1))
_GRADE = (
    *("segment", "region", "grade", "previous_grade", "score", "default_probability", "rating_basis", "grade_rule"),
    "quarantined_records",
)


@dataclass(frozen=True)
class Contribution:
    """What one index does to the score, in points. ``value`` None: not known. ``text``: why, where it takes some.

    ``index`` is its column, ``name`` what it is called.
    """

    code: str
    index: str
    name: str
    meaning: str | None
    unit: str
    value: float | None
    band: str | None
    points: float
    text: str | None


@dataclass(frozen=True)
class Explanation:
    """``base_score`` and the points of ``contributions`` (those that cost most first) add up to the score.

    ``model_grade`` is what the score alone would give. ``next_grade`` is None where the grade is the best there is.
    """

    published: Published
    lang: str
    model_grade: str
    base_score: float
    contributions: tuple[Contribution, ...]
    reasons: tuple[Contribution, ...]
    next_grade: NextGrade | None
    is_policy_of_today: bool

    @property
    def needs(self) -> list[str]:
        """What has to come about for a better grade, a sentence each."""
        sentences = self._withheld()
        sentences += [self._say("then", grade=self.model_grade)] if sentences else []
        sentences += self._by_score()
        return sentences if self.is_policy_of_today else [*sentences, self._say("policy")]

    def as_json(self) -> dict[str, Any]:
        grade, publication = self.published.grade, self.published.publication
        return {
            "month": str(publication.rating_month),
            "customer_id": grade["customer_id"],
            **{name: grade[name] for name in _GRADE},
            "basis_text": texts.basis(grade["rating_basis"], self.lang),
            "model_version": grade["model_version"],
            "basis": publication.basis,
            "revision": publication.revision,
            "published_at": publication.published_at,
            "base_score": self.base_score,
            "contributions": [asdict(contribution) for contribution in self.contributions],
            "reasons": [{"code": reason.code, "text": reason.text} for reason in self.reasons],
            "model_grade": self.model_grade,
            "next_grade": self.next_grade and self._next_grade(self.next_grade),
            "needs": self.needs,
        }

    def _next_grade(self, above: NextGrade) -> dict[str, Any]:
        withheld = [
            {"rule": rule.name, "until": str(rule.until) if rule.until else None, "text": self._rule(rule)}
            for rule in above.withheld_by
        ]
        return asdict(above) | {"withheld_by": withheld, "is_reached": above.is_reached}

    def _withheld(self) -> list[str]:
        """What the rules wait for: first the one that decided the grade, then the others that bar the next one."""
        barring = self.next_grade.withheld_by if self.next_grade else ()
        decisive = self.published.grade["grade_rule"] or self.published.grade["rating_basis"]
        held = {rule.name: self._rule(rule) for rule in (Rule(decisive), *barring)}  # a rule as it bars, with its date
        return [sentence for sentence in held.values() if sentence]

    def _rule(self, rule: Rule) -> str | None:
        held = texts.held(rule.name, self.lang)
        return held and (self._say("until", held=held, month=rule.until) if rule.until else held)

    def _by_score(self) -> list[str]:
        above = self.next_grade
        if above is None:
            return [self._say("best")]
        if above.points_needed == 0:
            return [self._say("enough", grade=above.grade)]
        sentences = [self._say("short", grade=above.grade, points=above.points_needed)]
        if not above.moves:
            return [*sentences, self._say("nothing")]
        moves = texts.joined(map(self._move, above.moves), self.lang)
        if not above.is_enough:
            left = above.points_needed - sum(move.points for move in above.moves)
            return [*sentences, self._say("not enough", moves=moves, points=left)]
        return [*sentences, self._say("one" if len(above.moves) == 1 else "all", moves=moves)]

    def _move(self, move: Move) -> str:
        definition = self.published.definitions[move.index]
        name = texts.index(move.index, definition, self.lang)
        return self._say("move", code=definition.code, index=name, value=move.value, needed=move.needed)

    def _say(self, what: str, **values) -> str:
        return texts.say(self.lang, what, **values)


def explain(settings: Settings, policy: Policy, month: RatingMonth, customer_id: str, lang: str = "en") -> Explanation:
    """Why the customer has its published grade, and what the next needs; texts in ``lang``, en or zh.

    The scale, the rules and what is attainable are today's policy; all else is as it was published. The next grade is
    what the next month's rating would give. NotPublishedError, NotRatedError, ModelError.
    """
    published = read(settings, policy, month, customer_id)
    scale = GradeScale(policy.grades.names, policy.grades.cutoffs)
    contributions = _contributions(published, lang)
    by_code = {contribution.code: contribution for contribution in contributions}
    codes = (published.grade[reason] for reason in _REASONS)
    known_before = (month + 1).cutoff(policy.timezone) if published.publication.basis == Basis.AS_KNOWN_THEN else None
    decided = overrides.by_customer(overrides.in_force(settings, month + 1, known_before), policy)
    return Explanation(
        published=published,
        lang=lang,
        model_grade=str(scale.grade(published.model.default_probability(published.indices))[0]),
        base_score=float(published.model.base_score_),
        contributions=contributions,
        reasons=tuple(by_code[code] for code in codes if code in by_code),
        next_grade=next_grade(
            published.model,
            standing(published.grade, month, decided.get(customer_id, {}), policy),
            published.indices,
            policy.indices,
        ),
        is_policy_of_today=published.publication.policy_sha256 == policy.sha256,
    )


def _contributions(published: Published, lang: str) -> tuple[Contribution, ...]:
    points = published.model.contributions(published.indices).iloc[0]
    given = reasons_against(published.model, published.indices).iloc[0] < 0
    costs = published.model.reason_points(published.indices).iloc[0] < 0
    found = []
    for column, value in points.items():
        name = column.removesuffix("_band") if column not in published.values else column
        definition = published.definitions.get(name) or Definition(name, "", None, None, None)
        contribution = Contribution(
            code=definition.code,
            index=name,
            name=texts.index(name, definition, lang),
            meaning=definition.meaning,
            unit=texts.unit(definition, lang),
            value=published.values[name],
            band=published.bands[name],
            points=float(value) + 0.0,  # a negative zero would show
            text=_text(definition, lang, bool(given[column]), bool(costs[column]) and published.values[name] is None),
        )
        found.append(contribution)
    return tuple(sorted(found, key=lambda contribution: contribution.points))


def _text(definition: Definition, lang: str, is_against: bool, is_unknown: bool) -> str | None:
    if is_unknown:
        return texts.unknown(lang)
    return texts.reason(definition, lang) if is_against else None
