"""# Alerts: people hear of months that are late or stale, models past a limit, a queue that is overdue

**Makes** nothing but messages:

| task | leaves |
|---|---|
| `send_alerts` | each alert in its log, and at the notifiers that the policy names under `alerts` |

**Read by** the credit office. A task that fails for good alerts by itself, from any DAG.

**Started** by the policy's schedule (`alerts.schedule`), once a day by default. What is still so the next day is said
again. By hand, for another moment: the param `at`.

**When a task fails** the warehouse could not be read: its log ends with a line that says why. A notifier that fails is
an error in the log, and the others go on.
"""

from airflow.sdk import dag, get_current_context, task
from gridgrade_assets import daily
from gridgrade_run import AT, TASK_DEFAULTS, current_moment, settings_and_policy


@task
def send_alerts():
    """Look what people have to hear of, and send it."""
    from gridgrade_alerts import send

    from pipeline.monitoring import alerts

    at, _ = current_moment()
    settings, policy = settings_and_policy()
    found = alerts.find(at, settings, policy)
    return {"alerts": [alert.line for alert in found], "sent": send(found, policy, get_current_context())}


@dag(
    schedule=daily(),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["monthly"],
    params={"at": AT},
)
def alerts():
    send_alerts()


alerts()
