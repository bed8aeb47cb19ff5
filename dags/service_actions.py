"""# Service actions: what follows from a month's grades

**Makes** the month's actions, in the outbox `ops.service_actions`, and sends those that may go out:

| task | leaves |
|---|---|
| `decide_actions` | service measures, proposed or blocked by a protection; `ops.account_managers` and figures |
| `propose_rebates` | rebates in `ops.arrears_rebates`, with proposed actions; that all of this was decided |
| `dispatch` | approved actions in the work queue, at the webhook or in the mail; what has to wait, with the reason |
| `approve_actions` | what a person approved, sent; asks in scheduled runs, if the policy has `actions.approval_step` |
| `report` | the monthly report in English and Chinese in `<home>/reports/`; `credit_rating` writes it too, with drift |

**Read by** the people and systems who work the outbox. Only what a scheduled run of the latest month decided goes out
by itself, and only where the policy asks for no person; the rest waits for `gridgrade actions approve`.

**Started** by every month that `credit_rating` publishes, backfilled ones included and in no certain order: their
actions are suppressed. A month whose proposals stand already gets no second ones. By hand: the param `rating_month`.

**When a task fails** its log ends with a line that says why and what to do: fix that and clear the task. An action
that could not be sent fails no task: it is tried again by the next `dispatch`, of any month or by
`gridgrade actions dispatch`.
"""

from airflow.sdk import PartitionedAssetTimetable, dag, task
from gridgrade_approval import approve_actions
from gridgrade_assets import credit_grades
from gridgrade_run import RATING_MONTH, TASK_DEFAULTS, current_run, settings_and_policy


@task(inlets=[credit_grades])
def decide_actions():
    """Decide who gets which service measure, and withdraw what is no longer due."""
    return current_run().steps.decide_actions()


@task(inlets=[credit_grades])
def propose_rebates():
    """Work out what the month's campaigns give back, and propose it; with that, all that follows is decided."""
    steps = current_run().steps
    proposed = steps.propose_rebates()
    steps.record_follow_up(proposed)
    return proposed


@task
def dispatch():
    """Send everything that is approved and can go now, whatever its month."""
    from pipeline.actions.outbox import dispatch

    return dispatch.dispatch(*settings_and_policy())


@task
def report():
    """Write the monthly report."""
    return current_run().steps.report()


@dag(
    schedule=PartitionedAssetTimetable(assets=credit_grades),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["actions"],
    params={"rating_month": RATING_MONTH},
)
def service_actions():
    decide_actions() >> propose_rebates() >> dispatch() >> [report(), approve_actions()]


service_actions()
