"""The log line of a failed task, and the alert that carries it to people."""

from airflow.sdk import BaseNotifier


class TaskFailed(BaseNotifier):
    """One line in the log: which step of which month failed, why, and how to continue once that is fixed.

    Put on tasks, as ``on_failure_callback``: Airflow calls it when no retry is left. The notifiers of the policy send
    the line too.
    """

    def notify(self, context) -> None:
        line = failure_line(context)
        self.log.error("%s", line)
        try:
            from gridgrade_alerts import send
            from gridgrade_run import settings_and_policy

            from pipeline.monitoring.alerts import Alert

            alert = Alert("failed", line, getattr(context["ti"], "log_url", "") or "")
            send([alert], settings_and_policy()[1], context)
        except Exception as error:
            self.log.error("nobody was alerted: %s: %s", type(error).__name__, error)


def failure_line(context) -> str:
    """The line. The message of a ``pipeline`` error says what to fix; the command to continue is the same for all."""
    task, run = context["ti"], context["dag_run"]
    month = (context.get("params") or {}).get("rating_month") or run.partition_key or "no month"
    error = context.get("exception")
    reason = (str(error).splitlines() or [""])[0] or "no message"
    return (
        f"{task.dag_id} {month}: {task.task_id} failed: {type(error).__name__}: {reason} | once that is fixed: "
        f"airflow dags clear {task.dag_id} --run-id '{run.run_id}' --only-failed | {task.log_url}"
    )
