"""Asking a person, on Airflow's page of required actions: whether to promote a challenger, whether actions go out."""

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException
from gridgrade_run import current_run


class _Question(ApprovalOperator):
    """A question, with the time to answer it, that is only known when the task runs; ``act`` follows from a yes."""

    def ask(self, context, subject: str, body: str, days: int):
        self.subject, self.body, self.response_timeout = subject, body, timedelta(days=days)
        super().execute(context)

    def execute_complete(self, context, event):
        answer = super().execute_complete(context, event)
        if self.APPROVE in answer["chosen_options"]:
            self.act(context, (answer["responded_by_user"] or {}).get("name") or "unknown")
        return answer

    def act(self, context, who: str):
        raise NotImplementedError

    @classmethod
    def task(cls, task_id: str, subject: str):
        """The task; ``subject`` stands until it runs."""
        return cls(
            task_id=task_id,
            subject=subject,
            defaults=cls.REJECT,
            execution_timeout=None,
            response_timeout=timedelta(days=1),
        )


class ModelApproval(_Question):
    """Asks in scheduled runs, where policy ``promotion`` is manual and has an approval step, for the challengers that
    the task ``retrain`` left awaiting; skipped otherwise, as a backfill would stand still at it.

    Approved ones are put in force from the first month that is not published. Unanswered in the policy's time means no:
    the champion goes on, and ``gridgrade models promote`` is there later.
    """

    def execute(self, context):
        run = current_run()
        policy = run.steps.policy
        awaiting, promotion = self._awaiting(context), policy.promotion
        if run.kind != "scheduled" or promotion.mode != "manual" or not promotion.approval_step or not awaiting:
            raise AirflowSkipException(f"{run.month}: nobody has to be asked")
        body = "\n\n".join(_described(run.steps.settings, version) for version in awaiting)
        self.ask(context, f"{run.month}: put {', '.join(awaiting)} in force?", body, promotion.approval_days)

    def act(self, context, who):
        from pipeline.warehouse import model_registry

        run = current_run()
        for version in self._awaiting(context):
            model_registry.promote(run.steps.settings, version, who, reason=f"approved in run {run.id}")

    @staticmethod
    def _awaiting(context) -> list[str]:
        return (context["ti"].xcom_pull(task_ids="retrain") or {}).get("awaiting", [])


class ActionsApproval(_Question):
    """Asks in the scheduled run of the latest month, where policy ``actions`` has an approval step, whether what the
    month proposed may go out; skipped otherwise. A yes approves and sends it, in the person's name."""

    def execute(self, context):
        from pipeline.actions.outbox import approval
        from pipeline.warehouse import publications
        from pipeline.warehouse.connection import transaction

        month, settings, policy = current_run().steps.inputs
        with transaction(settings) as connection:
            publication = publications.of_month(connection, month)
        is_asked = publication.run_kind == "scheduled" and publication.is_latest_month and policy.actions.approval_step
        proposed = approval.proposed(settings, month) if is_asked else {}
        if not proposed:
            raise AirflowSkipException(f"{month}: nobody has to be asked")
        rows = [f"| {name} | {count:,} |" for name, count in proposed.items()]
        subject = f"{month}: approve {sum(proposed.values()):,} actions?"
        self.ask(context, subject, "\n".join(["| actions | |", "|---|---|", *rows]), policy.actions.approval_days)

    def act(self, context, who):
        from pipeline.actions.outbox import approval, dispatch

        month, settings, policy = current_run().steps.inputs
        approval.approve(settings, policy, approval.Chosen(month=month), who)
        dispatch.dispatch(settings, policy)


def approve_model() -> ModelApproval:
    """Ask whether to put the challengers in force."""
    return ModelApproval.task("approve_model", "Put the challenger in force?")


def approve_actions() -> ActionsApproval:
    """Ask whether to let the month's actions go."""
    return ActionsApproval.task("approve_actions", "Approve the month's actions?")


def _described(settings, version: str) -> str:
    """A challenger and its gates, in Markdown."""
    from pipeline.warehouse import model_registry

    gates = model_registry.model(settings, version).gates or []
    rows = [f"| {g['gate']} | {_number(g['value'])} | {g['limit']:g} | {g['detail']} |" for g in gates]
    heads = ["| gate | value | limit | |", "|---|---|---|---|"]
    return "\n".join([f"**{version}** passed its gates (`gridgrade models show {version}`):", "", *heads, *rows])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
