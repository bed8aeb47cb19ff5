"""The outbox as a work queue."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from gridgrade_console import security
from gridgrade_console.context import Asked, Month, see_other
from pipeline.console import outbox
from pipeline.console.outbox import Place, Wanted
from pipeline.errors import ActionError
from pipeline.month import RatingMonth

router = APIRouter()

Text = Annotated[str | None, Query(max_length=200)]
Verb = Annotated[str, Form(pattern="^(approve|deny|release|acknowledge)$")]
Reason = Annotated[str, Form(max_length=1000)]


@router.get("/actions")
def queue(
    asked: Asked,
    month: Month,
    status: Annotated[str, Query(pattern=f"^({'|'.join(outbox.STATUSES)})$")] = "proposed",
    action_type: Annotated[str | None, Query(alias="type", max_length=100)] = None,
    customer: Text = None,
    overdue: bool = False,
    after: Text = None,
    done: Annotated[str | None, Query(pattern=r"^(approved|denied|released|acknowledged)$")] = None,
    number: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """One status, the most urgent first; filtered by type, month, customer, and what is overdue."""
    wanted = Wanted(status, action_type or None, month, (customer or "").replace("\0", "").strip() or None, overdue)
    shown, following = outbox.page(asked.settings, wanted, Place.parse(after) if after else None)
    return asked.page(
        "actions.html",
        wanted=wanted,
        shown=shown,
        following=following,
        is_first=after is None,
        counts=outbox.counts(asked.settings, month, wanted.action_type),
        counted=outbox.COUNTED,
        months=outbox.months(asked.settings),
        types=sorted(asked.policy.actions.types),
        verbs=outbox.VERBS.get(status, ()),
        done=done,
        number=number,
    )


@router.get("/action")
def show(asked: Asked, action_id: Annotated[UUID, Query(alias="id")], lang: str | None = None) -> Response:
    """An action whole: its letter, and what became of it."""
    found = outbox.action(asked.settings, action_id)
    language = lang if lang in ("en", "zh") else asked.policy.actions.language_of(found["action_type"])
    return asked.page(
        "action.html",
        action=found,
        letter=outbox.letter(asked.policy, found, language),
        language=language,
        verbs=outbox.VERBS.get(found["status"], ()),
    )


@router.post("/actions", dependencies=security.ACTS)
def change(
    asked: Asked,
    verb: Verb,
    reason: Reason = "",
    ids: Annotated[list[UUID] | None, Form(alias="id")] = None,
    back: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Do something to the chosen actions, all or none, under the person's name in Airflow."""
    number = outbox.change(asked.writing, asked.policy, verb, ids or [], asked.name, reason=reason)
    if back == "action" and ids and len(ids) == 1:
        return see_other("action", id=ids[0])
    return see_other("actions", status=_status_before(verb), done=_done(verb), number=number)


@router.post("/actions-of-month", dependencies=security.ACTS)
def change_all(
    asked: Asked,
    verb: Verb,
    month: Annotated[str, Form()],
    action_type: Annotated[str, Form(alias="type", max_length=100)],
    reason: Reason = "",
) -> Response:
    """The same for all of a type and month."""
    if not action_type:
        raise ActionError("choose a type and a month first: nothing was changed")
    of_month = RatingMonth.parse(month)
    number = outbox.change_all(asked.writing, asked.policy, verb, action_type, of_month, asked.name, reason=reason)
    return see_other("actions", status=_status_before(verb), month=of_month, done=_done(verb), number=number)


def _status_before(verb: str) -> str:
    """Where a person was when it was done, to go on with the rest."""
    return {"approve": "proposed", "deny": "proposed", "release": "suppressed", "acknowledge": "dispatched"}[verb]


def _done(verb: str) -> str:
    return {"approve": "approved", "deny": "denied", "release": "released", "acknowledge": "acknowledged"}[verb]
