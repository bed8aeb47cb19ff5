"""# Service actions: what follows from a month's grades

**Makes** the month's arrears rebates: customers who paid arrears back during a campaign are proposed a credit, in the
ledger `ops.arrears_rebates` and as a proposed action in the outbox `ops.service_actions`.

**Read by** the people and systems who work the outbox. Nothing leaves the warehouse from here.

**Started** by every month that `credit_rating` publishes, backfilled ones included and in no certain order. A month
whose proposals stand already gets no second ones. By hand: the param `rating_month`.

**When a task fails** its log ends with a line that says why and what to do: mend that and clear the task.
"""

from airflow.sdk import PartitionedAssetTimetable, dag, task
from gridgrade_assets import credit_grades
from gridgrade_run import RATING_MONTH, TASK_DEFAULTS, current_run


@task(inlets=[credit_grades])
def propose_rebates():
    """Work out what the month's campaigns give back, and propose it."""
    from pipeline.actions import rebate

    return rebate.propose_rebates(*current_run().inputs)


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
    propose_rebates()


service_actions()
