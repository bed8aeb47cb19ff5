"""Model versions, and putting one in force."""

from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from gridgrade_console import security
from gridgrade_console.context import Asked, see_other
from pipeline.console import models, pictures
from pipeline.errors import ModelError
from pipeline.models import model_card, promotion
from pipeline.month import RatingMonth

router = APIRouter()

Name = Annotated[str, Query(max_length=200)]


@router.get("/models")
def overview(asked: Asked) -> Response:
    """Every version by family, and how those in use do."""
    months = models.monitoring(asked.settings)
    return asked.page(
        "models.html",
        families=models.by_family(asked.settings),
        months=months,
        psi_charts=pictures.by_version(months, "psi", "Stability of the score", limit="psi_limit"),
        auc_charts=pictures.by_version(months, "auc", "AUC"),
    )


@router.get("/model")
def show(asked: Asked, version: Name) -> Response:
    """One version: its gates, its time in force, its checks, and how it grades beside the champion."""
    return asked.page(
        "model.html",
        found=models.version(asked.settings, version),
        may_promote=asked.may(security.may_act) and asked.may(security.may_rate),
    )


@router.get("/model-card")
def card(asked: Asked, version: Name) -> Response:
    """The model card as a file: a page of its own, with styles that this one's policy would not let through."""
    found = models.version(asked.settings, version).model
    name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in found.version)
    headers = {"Content-Disposition": f'attachment; filename="{name.encode("ascii", "replace").decode()}.html"'}
    return Response(model_card.card(asked.settings, asked.policy, found), headers=headers, media_type="text/html")


@router.post("/promote", dependencies=security.RATES)
def promote(
    asked: Asked,
    version: Annotated[str, Form(max_length=200)],
    reason: Annotated[str, Form(max_length=1000)] = "",
    since: Annotated[str, Form(alias="from", max_length=10)] = "",
) -> Response:
    """Put a version in force under the person's name; the reason goes on record."""
    if not reason.strip():
        raise ModelError(f"model {version}: a promotion needs a reason, which goes on record; nothing was changed")
    first = RatingMonth.parse(since) if since else None
    promotion.promote(asked.writing, asked.policy, version, asked.name, since=first, reason=reason.strip())
    return see_other("model", version=version)
