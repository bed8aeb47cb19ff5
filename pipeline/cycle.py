"""The cycle of one month in one process: the order of the DAGs, without Airflow."""

import getpass
import uuid
from collections.abc import Callable
from typing import Any

from pipeline.ingest import extract
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.publishing import fingerprint
from pipeline.settings import Settings
from pipeline.warehouse import locks, migrations, publications
from pipeline.warehouse.connection import transaction

STEPS = 12  # of a month: for the progress bar


def rate_month(
    month: RatingMonth,
    settings: Settings,
    policy: Policy,
    *,
    mode: str = "auto",
    model_version: str | None = None,
    models: dict[str, str] | None = None,
    basis: str = "as_known_then",
    dry_run: bool = False,
    accept_moves: bool = False,
    leave_standing: bool = False,
    run_kind: str = "command",
    advance: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> dict[str, Any]:
    """The cycle in the order of the DAGs, alone at its month; the summaries of its steps by name.

    ``models``: the version of each family, in place of ``mode`` and ``model_version``. ``leave_standing``: stop after
    extraction where rating the month again could only give what is published.
    """
    inputs = (month, settings, policy)
    done: dict[str, Any] = {"month": str(month), "basis": str(basis)}

    def step(name: str, work: Callable[[], dict]) -> dict:
        advance(len(done) - 2, STEPS, f"{month} {name}")
        done[name] = work()
        return done[name]

    migrations.migrate(settings)
    with locks.rating(settings, month, policy.publish.lock_timeout_seconds, f"gridgrade {run_kind} {month}"):
        step("extract", lambda: extract.extract(*inputs, basis=basis))
        asked = {"mode": mode, "model_version": model_version}
        if leave_standing and (published := fingerprint.standing(*inputs, basis=basis, **asked)):
            return done | _as_it_stands(published, settings, policy)

        # Slow to import, and a month that stands needs none of it.
        from pipeline.actions.measures import decide
        from pipeline.actions.rebates import propose
        from pipeline.customers import compute_indices, group
        from pipeline.grading import grade, sensitivity
        from pipeline.ingest import validate
        from pipeline.models import choose_model, retrain
        from pipeline.monitoring import monitor
        from pipeline.publishing import publish

        step("validate", lambda: validate.validate(*inputs, basis=basis))
        step("compute_indices", lambda: compute_indices.compute_indices(*inputs, basis=basis))
        step("group", lambda: group.group(*inputs, basis=basis))
        if models:
            why = "applied: the models it was rated by"
            chosen = step("apply", lambda: {"mode": "apply", "models": models, "promotes": {}, "decision": why})
        else:
            decision = step("choose_model", lambda: choose_model.choose(*inputs, **asked, basis=basis))
            if decision["mode"] == "retrain":
                given = {"families": decision["families"], "why": decision["why"], "basis": basis, "dry_run": dry_run}
                chosen = step("retrain", lambda: retrain.retrain(*inputs, **given))
            else:
                given = {"model_version": model_version, "why": decision["why"]}
                chosen = step("apply", lambda: choose_model.apply(*inputs, **given))
        rated_by = {name: chosen[name] for name in ("models", "promotes", "decision")}
        step("grade", lambda: grade.grade(*inputs, basis=basis, **rated_by))
        step("sensitivity", lambda: sensitivity.sensitivity(*inputs, basis=basis, models=chosen["models"]))
        run = {"run_id": f"{run_kind}__{uuid.uuid4()}", "run_kind": run_kind, "published_by": getpass.getuser()}
        asked = {"basis": basis, "dry_run": dry_run, "accept_moves": accept_moves}
        published = step("publish", lambda: publish.publish(*inputs, **run, **asked))
        if not dry_run:
            step("decide_actions", lambda: decide.decide_actions(*inputs))
            step("propose_rebates", lambda: propose.propose_rebates(*inputs))
            step("monitor", lambda: monitor.monitor(*inputs))
            publications.record_follow_up(settings, published["publication_id"])
    advance(STEPS, STEPS, f"{month} done")
    return done


def _as_it_stands(publication, settings: Settings, policy: Policy) -> dict[str, dict[str, Any]]:
    """What the steps would say of a month that is published already, with nothing new about it."""
    with transaction(settings) as connection:
        counts = publications.customers_by_grade(connection, publication.rating_month)
    return {
        "grade": {"grades": {name: counts.get(name, 0) for name in policy.grades.names}},
        "publish": {
            "stands": True,
            "changed": False,
            "rows": publication.rows,
            "content_sha256": publication.content_sha256,
            "revision": publication.revision,
            "publication_id": str(publication.publication_id),
            "is_latest_month": publication.is_latest_month,
        },
    }
