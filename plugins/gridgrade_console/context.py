"""What every page starts from: who asks, what they may do, the warehouse for reading, and the policy."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from gridgrade_run import current_settings

from gridgrade_console import security
from gridgrade_console.render import TEMPLATES, url
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.warehouse.reader import reading


@dataclass(frozen=True)
class Asking:
    """One request. ``settings`` cannot write to the warehouse; ``writing`` can, for routes that checked they may."""

    request: Request
    user: Any
    writing: Settings
    settings: Settings
    policy: Policy

    @property
    def name(self) -> str:
        """Who goes on record."""
        return self.user.get_name()

    def may(self, check: Callable) -> bool:
        return security.allows(check, self.request, self.user)

    def page(self, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
        """A page, with what every page shows."""
        shared = {
            "user": self.name,
            "may_act": self.may(security.may_act),
            "token": security.token_for(self.user),
            "timezone": self.policy.timezone,
            "grades": self.policy.grades.names,
        }
        text = TEMPLATES.get_template(template).render(shared | values)
        return HTMLResponse(text, status_code)


def asking(request: Request, user: GetUserDep) -> Asking:
    settings = current_settings()
    return Asking(request, user, settings, reading(settings), _policy(settings.policy))


def month_asked(
    month: Annotated[str | None, Query(description="YYYY-MM")] = None,
) -> RatingMonth | None:
    return RatingMonth.parse(month) if month else None


Asked = Annotated[Asking, Depends(asking)]
Month = Annotated[RatingMonth | None, Depends(month_asked)]


def see_other(path: str, **query: Any) -> RedirectResponse:
    """To a page of ours, after a change: going back or reloading does not repeat it."""
    return RedirectResponse(url(path, **query), 303)


def _policy(path: Path | None) -> Policy:
    """The policy in force, read again when its file has changed."""
    return _policy_as_of(path, path.stat().st_mtime_ns if path and path.exists() else 0)


@lru_cache(maxsize=2)
def _policy_as_of(path: Path | None, _changed_at: int) -> Policy:
    return Policy.load(path)
