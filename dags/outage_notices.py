"""# Outage notices: customers are notified of planned outages ahead of time

**Makes** actions in the outbox `ops.service_actions`, and sends those that may go out:

| task | leaves |
|---|---|
| `escalate_repairs` | a repair with a deadline for each report of trouble by a customer who comes first |
| `notify_outages` | notices, amendments and tasks for account managers; what was sent when in `ops.outage_notices` |
| `dispatch` | approved actions in the work queue, at the webhook or in the mail |

**Read by** the people and systems who work the outbox. What a scheduled run decides goes out by itself, where the
policy asks for no person; what a run by hand decides waits for `gridgrade actions approve`, and a backfill's is
suppressed.

**Started** by the policy's schedule (`measures.outage_notices.schedule`), every five minutes by default. A run that was
missed is made up for by the next one. By hand, for another moment: the param `at`.

**When a task fails** its log ends with a line that says why and what to do; the next run goes on.
"""

from airflow.sdk import dag, task
from gridgrade_assets import every_few_minutes
from gridgrade_run import AT, TASK_DEFAULTS, current_moment, settings_and_policy


@task
def escalate_repairs():
    """Escalate the reports of trouble of the customers who come first."""
    from pipeline.actions.outages import notify

    at, kind = current_moment()
    return notify.escalate_repairs(at, *settings_and_policy(), run_kind=kind)


@task
def notify_outages():
    """Notify customers and account managers of planned outages, and of changes since their last notice."""
    from pipeline.actions.outages import notify

    at, kind = current_moment()
    return notify.notify_outages(at, *settings_and_policy(), run_kind=kind)


@task
def dispatch():
    """Send everything that is approved and can go now."""
    from pipeline.actions.outbox import dispatch

    return dispatch.dispatch(*settings_and_policy())


@dag(
    schedule=every_few_minutes(),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["actions"],
    params={"at": AT},
)
def outage_notices():
    escalate_repairs() >> notify_outages() >> dispatch()


outage_notices()
