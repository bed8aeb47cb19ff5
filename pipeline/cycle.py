"""The cycle of one month in one process: the order of the DAGs, without Airflow; and how far a long run is."""

import getpass
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.basis import Basis
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.run import Run, Summary
from pipeline.settings import Settings

STEPS = 13  # of a month: for the progress bar
Advance = Callable[[float, int, str], None]  # steps done, steps in all, what is under way


def unseen(done: float, total: int, what: str) -> None:
    """An ``Advance`` that shows nothing."""


@dataclass
class Progress:
    """A run of so many ``steps``. One that takes as long as several counts as several, and says which share is done."""

    advance: Advance
    steps: int
    _done: int = field(default=0, init=False)
    _counts_as: int = field(default=0, init=False)

    def step(self, what: str, counts_as: int = 1) -> None:
        """The next step begins; the one before is done."""
        self._done += self._counts_as
        self._counts_as = counts_as
        self.part(what, 0.0)

    def part(self, what: str, share: float) -> None:
        """Within the step that has begun: ``share`` of it is done."""
        self.advance(self._done + share * self._counts_as, self.steps, what)

    def end(self, what: str) -> None:
        """All steps are done."""
        self.advance(self.steps, self.steps, what)


def rate_month(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    mode: str = "auto",
    model_version: str | None = None,
    models: dict[str, str] | None = None,
    basis: str = Basis.AS_KNOWN_THEN,
    dry_run: bool = False,
    accept_moves: bool = False,
    skip_unchanged: bool = False,
    run_kind: str = "command",
    advance: Advance = unseen,
) -> dict[str, Any]:
    """The cycle in the order of the DAGs, with the month locked; the summaries of its steps by name.

    ``models``: the version of each family, in place of ``mode`` and ``model_version``. ``skip_unchanged``: stop after
    extraction where what is published of the month is up to date.
    """
    from pipeline.publishing.up_to_date import up_to_date
    from pipeline.warehouse import locks, migrations
    from pipeline.warehouse.tables.index_columns import define_indices

    progress = Progress(advance, STEPS)
    run = Run(
        month,
        settings,
        policy,
        basis=basis,
        mode=mode,
        model_version=model_version,
        dry_run=dry_run,
        accept_moves=accept_moves,
        kind=run_kind,
        id=f"{run_kind}__{uuid.uuid4()}",
        started_by=getpass.getuser(),
        on_part=lambda what, share: progress.part(f"{month} retrain: {what}", share),
    )
    done: dict[str, Any] = {"month": str(month), "basis": str(basis)}

    def step(work: Callable[..., Summary], *given: Summary) -> Summary:
        name = work.__name__
        progress.step(f"{month} {name}")
        done[name] = work(*given)
        return done[name]

    migrations.migrate(settings)
    with locks.rating(settings, month, policy.publish.lock_timeout_seconds, f"gridgrade {run_kind} {month}"):
        step(run.extract)
        if skip_unchanged and (current := up_to_date(*run.inputs, basis=basis, mode=mode, model_version=model_version)):
            define_indices(settings, policy.indices)
            return done | _unchanged(current, settings, policy)
        step(run.validate)
        step(run.compute_indices)
        step(run.group)
        if models:
            why = "applied: the models it was rated by"
            chosen = done["apply"] = {"mode": "apply", "models": models, "promotes": {}, "decision": why}
        else:
            decision = step(run.choose_model)
            chosen = step(run.retrain if decision["mode"] == "retrain" else run.apply, decision)
        step(run.grade, chosen)
        step(run.sensitivity, chosen)
        published = step(run.publish)
        if not dry_run:
            step(run.decide_actions)
            step(run.propose_rebates)
            step(run.monitor)
            run.record_follow_up(published)
            if run_kind != "backfill":  # gridgrade report writes that of any month
                step(run.report)
    progress.end(f"{month} done")
    return done


def _unchanged(publication, settings: Settings, policy: Policy) -> dict[str, dict[str, Any]]:
    """What the steps would return for a month whose publication is up to date."""
    from pipeline.warehouse import publications
    from pipeline.warehouse.connection import transaction

    with transaction(settings) as connection:
        counts = publications.customers_by_grade(connection, publication.rating_month)
    return {
        "grade": {"grades": {name: counts.get(name, 0) for name in policy.grades.names}},
        "publish": {
            "up_to_date": True,
            "changed": False,
            "rows": publication.rows,
            "content_sha256": publication.content_sha256,
            "revision": publication.revision,
            "publication_id": str(publication.publication_id),
            "is_latest_month": publication.is_latest_month,
        },
    }
