"""Asking a person whether to promote a challenger, on Airflow's page of required actions."""

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException
from gridgrade_run import current_run


class ModelApproval(ApprovalOperator):
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
        self.subject = f"{run.month}: put {', '.join(awaiting)} in force?"
        self.body = "\n\n".join(_described(run.steps.settings, version) for version in awaiting)
        self.response_timeout = timedelta(days=promotion.approval_days)
        super().execute(context)

    def execute_complete(self, context, event):
        from pipeline.warehouse import model_registry

        answer = super().execute_complete(context, event)
        if self.APPROVE in answer["chosen_options"]:
            run, who = current_run(), answer["responded_by_user"] or {}
            for version in self._awaiting(context):
                model_registry.promote(
                    run.steps.settings, version, who.get("name") or "unknown", reason=f"approved in run {run.id}"
                )
        return answer

    @staticmethod
    def _awaiting(context) -> list[str]:
        return (context["ti"].xcom_pull(task_ids="retrain") or {}).get("awaiting", [])


def approve_model() -> ModelApproval:
    """The task. The question and the time to answer it are only known when it runs."""
    return ModelApproval(
        task_id="approve_model",
        subject="Put the challenger in force?",
        defaults=ModelApproval.REJECT,
        execution_timeout=None,
        response_timeout=timedelta(days=1),
    )


def _described(settings, version: str) -> str:
    """A challenger and its gates, in Markdown."""
    from pipeline.warehouse import model_registry

    gates = model_registry.model(settings, version).gates or []
    rows = [f"| {g['gate']} | {_number(g['value'])} | {g['limit']:g} | {g['detail']} |" for g in gates]
    heads = ["| gate | value | limit | |", "|---|---|---|---|"]
    return "\n".join([f"**{version}** passed its gates (`gridgrade models show {version}`):", "", *heads, *rows])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
