"""What each step of a month is called with. The DAGs, the cycle and the benchmark all run steps through here."""

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from pipeline.basis import Basis
from pipeline.errors import GridgradeError, LakeError, is_out_of_space
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings
from pipeline.step_words import in_words

Summary = dict[str, Any]

log = logging.getLogger(__name__)


# What a step may take of the memory of its month: ``group`` runs beside the steps from the choice of a model to the
# sensitivity, ``monitor`` beside the actions; the others run alone.
MEMORY = (
    dict.fromkeys(("group", "monitor"), 1 / 3)
    | dict.fromkeys(("choose_model", "retrain", "apply", "grade", "sensitivity"), 2 / 3)
    | dict.fromkeys(("decide_actions", "propose_rebates"), 2 / 3)
)

Given = ParamSpec("Given")


def _step(
    run: Callable[Concatenate["Run", Given], Summary],
) -> Callable[Concatenate["Run", Given], Summary]:
    """A step, which has its share of the memory, ends its log with a line of what it did and reports it to the run's
    ``on_step``."""
    share = MEMORY.get(run.__name__, 1)

    @wraps(run)
    def logged(self: "Run", *args: Given.args, **kwargs: Given.kwargs) -> Summary:
        started = time.monotonic()
        from pipeline.engine.connection import refusals

        try:
            with refusals():
                summary = run(replace(self, settings=self.settings.with_memory(share)), *args, **kwargs)
        except Exception as error:
            if isinstance(error, GridgradeError) or not is_out_of_space(error):
                raise
            raise LakeError(
                f"{self.month} {run.__name__}: no space is left on the disk of {self.settings.home}; readers keep what "
                "is published, make room and run again"
            ) from error
        seconds = time.monotonic() - started
        log.info("%s %s: %s (%.1f s)", self.month, run.__name__, in_words(run.__name__, summary), seconds)
        if self.on_step:
            self.on_step(run.__name__, summary, seconds)
        return summary

    return logged


@dataclass(frozen=True)
class Run:
    """One run of a month. Each method runs the step of its name and returns its JSON-safe summary.

    ``mode``: auto, retrain or apply. ``model_version``: apply this one. ``kind``: scheduled, backfill, manual or
    command. ``on_step`` is called with each step's name, summary and seconds; ``on_part``, within a long step, with
    what is under way and the share that is done. A step's module is imported when the step runs, so that none pays for
    the imports of another.
    """

    month: RatingMonth
    settings: Settings
    policy: Policy
    basis: str = Basis.AS_KNOWN_THEN
    mode: str = "auto"
    model_version: str | None = None
    dry_run: bool = False
    accept_moves: bool = False
    kind: str = "command"
    id: str = field(default_factory=lambda: f"command__{uuid.uuid4()}")
    started_by: str | None = None
    on_step: Callable[[str, Summary, float], None] | None = None
    on_part: Callable[[str, float], None] = lambda what, share: None

    @property
    def inputs(self) -> tuple[RatingMonth, Settings, Policy]:
        """What every step takes first."""
        return self.month, self.settings, self.policy

    @_step
    def extract(self) -> Summary:
        from pipeline.ingest.extract import extract

        return extract(*self.inputs, basis=self.basis)

    @_step
    def validate(self) -> Summary:
        from pipeline.ingest.validate import validate

        return validate(*self.inputs, basis=self.basis)

    @_step
    def compute_indices(self) -> Summary:
        from pipeline.customers.compute_indices import compute_indices

        return compute_indices(*self.inputs, basis=self.basis)

    @_step
    def group(self) -> Summary:
        from pipeline.customers.group import group

        return group(*self.inputs, basis=self.basis)

    @_step
    def choose_model(self) -> Summary:
        """``mode`` says which of ``retrain`` and ``apply`` follows; both take the whole decision."""
        from pipeline.models.choose_model import choose

        return choose(*self.inputs, mode=self.mode, model_version=self.model_version, basis=self.basis)

    @_step
    def retrain(self, decision: Summary) -> Summary:
        from pipeline.models.retrain import retrain

        asked = {"families": decision["families"], "why": decision["why"]}
        return retrain(*self.inputs, **asked, basis=self.basis, dry_run=self.dry_run, on_part=self.on_part)

    @_step
    def apply(self, decision: Summary) -> Summary:
        from pipeline.models.choose_model import apply

        return apply(*self.inputs, model_version=self.model_version, why=decision["why"])

    @_step
    def grade(self, chosen: Summary) -> Summary:
        """``chosen``: what ``retrain`` or ``apply`` returned."""
        from pipeline.grading.grade import grade

        rated_by = {name: chosen[name] for name in ("models", "promotes", "decision")}
        return grade(*self.inputs, basis=self.basis, **rated_by)

    @_step
    def sensitivity(self, chosen: Summary) -> Summary:
        from pipeline.grading.sensitivity import sensitivity

        return sensitivity(*self.inputs, basis=self.basis, models=chosen["models"])

    @_step
    def publish(self) -> Summary:
        from pipeline.publishing.publish import publish

        return publish(
            *self.inputs,
            basis=self.basis,
            dry_run=self.dry_run,
            accept_moves=self.accept_moves,
            run_id=self.id,
            run_kind=self.kind,
            published_by=self.started_by,
        )

    @_step
    def decide_actions(self) -> Summary:
        from pipeline.actions.measures.decide import decide_actions

        return decide_actions(*self.inputs)

    @_step
    def propose_rebates(self) -> Summary:
        from pipeline.actions.rebates.propose import propose_rebates

        return propose_rebates(*self.inputs)

    @_step
    def monitor(self) -> Summary:
        from pipeline.monitoring.monitor import monitor

        return monitor(*self.inputs)

    @_step
    def report(self) -> Summary:
        from pipeline.report.report import report

        return report(*self.inputs)

    def record_follow_up(self, published: Summary) -> None:
        """Note that what follows from a publication was decided; ``published``: a summary with its publication_id."""
        from pipeline.warehouse.publications import record_follow_up

        record_follow_up(self.settings, published["publication_id"])
