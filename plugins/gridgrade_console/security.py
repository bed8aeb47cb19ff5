"""Who may read, who may write, and that a write was meant: Airflow's login and permissions, origin and token checked.

Airflow authenticates no route of a plugin's application. Here every route needs a user who may read the DAG
``service_actions``; whatever changes something needs the right to trigger the DAG whose work it does, a request from
our own pages and the token that they hold.
"""

from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.tokens import get_signing_key
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from fastapi import Depends, Form, HTTPException, Request
from itsdangerous import BadSignature, URLSafeTimedSerializer

ACTIONS_DAG, RATING_DAG = "service_actions", "credit_rating"
TOKEN_SECONDS = 12 * 3600

# One application serves all: nothing from elsewhere, no inline script or style, framed only by Airflow itself.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

may_read = requires_access_dag("GET", param_dag_id=ACTIONS_DAG)
may_act = requires_access_dag("POST", DagAccessEntity.RUN, ACTIONS_DAG)
may_rate = requires_access_dag("POST", DagAccessEntity.RUN, RATING_DAG)


def token_for(user) -> str:
    """What a form of this user's pages carries."""
    return _signer().dumps(user.get_id())


def is_meant(request: Request, user: GetUserDep, token: Annotated[str, Form()] = "") -> None:
    """Refuse a write that did not come from a page of ours which this user had open: 403."""
    if not _is_own_origin(request):
        raise HTTPException(403, "this request came from another site")
    try:
        signed_for = _signer().loads(token, max_age=TOKEN_SECONDS)
    except BadSignature:
        raise HTTPException(403, "the page was open for too long: open it again, and repeat") from None
    if signed_for != user.get_id():
        raise HTTPException(403, "the page belongs to another login: open it again, and repeat")


READS = [Depends(may_read)]
ACTS = [Depends(may_act), Depends(is_meant)]
RATES = [Depends(may_act), Depends(may_rate), Depends(is_meant)]

User = Annotated[object, Depends(get_user)]


def allows(check, request: Request, user) -> bool:
    """Whether a permission is there: what is not allowed is not offered."""
    try:
        check(request, user)
    except HTTPException:
        return False
    return True


def _is_own_origin(request: Request) -> bool:
    """A browser says where a form was sent from. Who says nothing is no browser with our page, and is refused."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        return urlsplit(origin).netloc == request.headers.get("host")
    return site is not None


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(get_signing_key("api", "secret_key"), salt="gridgrade-console")
