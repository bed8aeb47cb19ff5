"""A customer: found by id, and why it has its grade."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from gridgrade_console.context import Asked, Month, see_other
from pipeline.console import customers, pictures
from pipeline.errors import ModelError, NotRatedError
from pipeline.grading.explain.explanation import explain
from pipeline.grading.explain.texts import LANGUAGES, basis
from pipeline.month import RatingMonth

router = APIRouter()


@router.get("/customers")
def find(asked: Asked, q: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Those whose id holds the text; the page of the one that is meant, where there is no doubt."""
    wanted = q.replace("\0", "").strip()
    found = customers.find(asked.settings, wanted) if wanted else []
    exact = [row for row in found if row["customer_id"] == wanted]
    if exact or len(found) == 1:
        return see_other("customer", id=(exact or found)[0]["customer_id"])
    if wanted and not found and customers.history(asked.settings, wanted):
        return see_other("customer", id=wanted)
    return asked.page("customers.html", q=wanted, found=found[: customers.MOST_FOUND], more=len(found))


@router.get("/customer")
def show(
    asked: Asked,
    month: Month,
    customer_id: Annotated[str, Query(alias="id", max_length=500)],
    lang: Annotated[str, Query(pattern="^(en|zh)$")] = LANGUAGES[0],
) -> Response:
    """The customer in a month: the latest that rates it, where none is asked for."""
    settings, policy = asked.settings, asked.policy
    customer_id = customer_id.replace("\0", "")
    history = customers.history(settings, customer_id)
    if not history:
        raise NotRatedError(f"no published month rates a customer {customer_id!r}: check the id")
    month = month or RatingMonth.of(history[0]["rating_month"])
    grade = next((row for row in history if RatingMonth.of(row["rating_month"]) == month), None)
    explanation, why_not = None, None
    if grade is not None:
        try:
            explanation = explain(settings, policy, month, customer_id, lang)
        except ModelError as error:
            why_not = str(error)
    return asked.page(
        "customer.html",
        customer_id=customer_id,
        month=month,
        lang=lang,
        history=history,
        score_chart=pictures.score(history),
        grade=grade,
        explanation=explanation,
        why_not=why_not,
        basis_text=grade and basis(grade["rating_basis"], lang),
        bills=grade and customers.bills(settings, policy, month, customer_id, grade["basis"], grade["known_in"]),
        actions=customers.actions(settings, customer_id),
        overrides=customers.overrides(settings, customer_id),
        revisions=customers.known_when(settings, month, customer_id),
    )
