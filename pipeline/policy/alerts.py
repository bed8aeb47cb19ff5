"""Who hears of trouble."""

from typing import Annotated, Any

from pydantic import Field

from pipeline.policy.base import Count, Section


class Notifier(Section):
    """One of Airflow's notifiers: its class, and the arguments it is made with, which may be templates."""

    notifier: Annotated[str, Field(pattern=r"^airflow\.providers(\.[a-z0-9_]+)+\.[A-Za-z]+$")]
    arguments: dict[str, Any] = Field(default_factory=dict)


class Alerts(Section):
    schedule: str
    late_after_days: Annotated[int, Field(ge=1)]
    overdue_actions: Count
    notifiers: tuple[Notifier, ...]
