"""What a failed task tells people."""

from airflow.sdk import BaseNotifier


class TaskFailed(BaseNotifier):
    """One line in the log: which step of which month failed, why, and how to go on once that is mended.

    Put on tasks, as ``on_failure_callback``: Airflow calls it when no retry is left.
    """

    def notify(self, context) -> None:
        self.log.error("%s", failure_line(context))


def failure_line(context) -> str:
    """The line. An error of ``pipeline`` says in its message what to mend; where to go on is the same for all."""
    task, run = context["ti"], context["dag_run"]
    month = (context.get("params") or {}).get("rating_month") or run.partition_key or "no month"
    error = context.get("exception")
    reason = (str(error).splitlines() or [""])[0] or "no message"
    return (
        f"{task.dag_id} {month}: {task.task_id} failed: {type(error).__name__}: {reason} | once that is mended: "
        f"airflow dags clear {task.dag_id} --run-id '{run.run_id}' --only-failed | {task.log_url}"
    )
