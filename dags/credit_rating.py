"""# Credit rating: the monthly cycle

**Makes** one credit grade per customer for one rating month, in `rating.credit_grades`, with the indices it rests on.
Each task replaces its own output for the month and hands on a small summary:

| task | leaves |
|---|---|
| `wait_for_billing_close` | nothing; looks every 15 minutes, for three weeks, whether billing has closed the month |
| `extract` | the records the lake does not have yet, one partition per source table and month |
| `validate` | rows that fail set aside with the reasons, in `ops.validation_results` and the validation pages |
| `compute_indices` | one row of indices per customer |
| `group` | the customer group and the stage of life of each customer |
| `choose_model` | the model version in force for each segment family, or why some have to be retrained first |
| `retrain` | a challenger where one is due, and the model version of each family; skipped in most months |
| `grade` | score, default probability and grade per customer |
| `sensitivity` | what a change of each risk factor would do to the grades |
| `publish` | the month's new revision, if it differs from the published one; with it, challengers that are promoted |
| `monitor` | PSI, CSI, AUC and calibration of the models in use, in `report.model_monitoring` |
| `require_passed` | nothing; red where a model passed a limit of the policy |
| `report` | the monthly report with its drift, in `<home>/reports/`; `service_actions` writes it too, with actions |
| `approve_model` | a challenger in force, where the policy promotes by hand: asks a person, in scheduled runs only |

**Read by** `service_actions`, which starts on each month this publishes, and by everybody who reads `report.*`.

**Started** by the policy's schedule for the month before, by `airflow backfill create --dag-id credit_rating`, or by
hand with the param `rating_month`. `dry_run` does everything but publish, and starts nobody. `accept_moves` publishes
even if more grades of a published month change than the policy lets pass without a person's word.

**When `require_passed` alone is red** the month is published and its actions run: a model passed a limit of the policy.
Look at `report.model_monitoring`, and retrain or fix the records; nothing has to be cleared.

**When a task fails** its log ends with a line that says why and what to do. Readers still see the last good
publication. What may heal by itself (a source, a warehouse or a lake that is away) has been tried four times by then;
fix the rest and clear the failed task. A month is done again with
`airflow dags clear credit_rating --partition-key YYYY-MM`; publishing what is published already changes nothing.
"""

from datetime import timedelta

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from gridgrade_approval import approve_model
from gridgrade_assets import billing_snapshot, billing_tables, credit_grades, monthly, rating_tables, records
from gridgrade_run import BASIS, RATING_MONTH, TASK_DEFAULTS, current_run, describe


@task.sensor(  # type: ignore[call-overload]  # Airflow's stub knows no keywords of the sensor
    mode="reschedule", poke_interval=timedelta(minutes=15), timeout=timedelta(weeks=3)
)
def wait_for_billing_close(dag_run=None):
    """Whether billing has closed the month; a month that is not over cannot be waited for."""
    from pipeline.errors import MonthNotClosedError
    from pipeline.ingest.extract import is_month_closed

    month, settings, policy = current_run().steps.inputs
    is_closed = is_month_closed(month, settings, policy)
    if not is_closed and month.cutoff(policy.timezone) > dag_run.start_date:
        raise MonthNotClosedError(f"{month} is not over yet: rate it after {month.cutoff(policy.timezone):%Y-%m-%d}")
    return is_closed


@task(inlets=billing_tables, outlets=[billing_snapshot, records])
def extract(outlet_events=None):
    """Copy what the lake lacks from the billing system."""
    run = current_run()
    outcome = run.steps.extract()
    describe(outlet_events[billing_snapshot], run.month, outcome)
    return outcome


@task(inlets=[billing_snapshot])
def validate():
    """Set aside the rows that cannot be right, or stop the run."""
    return current_run().steps.validate()


@task
def compute_indices():
    """One row of indices per customer."""
    with current_run().locked() as steps:
        return steps.compute_indices()


@task
def group():
    """Customer groups by value, demand and behaviour, and life-cycle stages."""
    with current_run().locked(is_shared=True) as steps:
        return steps.group()


@task.branch
def choose_model(ti=None):
    """Name the task that follows, and say why: grade by the models in force, or retrain."""
    steps = current_run().steps
    decision = steps.choose_model()
    is_retrained = decision["mode"] == "retrain"
    ti.xcom_push(key="decision", value=decision)
    ti.xcom_push(key="applied", value={} if is_retrained else steps.apply(decision))
    return "retrain" if is_retrained else "grade"


@task
def retrain(decision):
    """A challenger for each segment family that is to have one, and the models to rate the month by."""
    return current_run().steps.retrain(decision)


@task(trigger_rule="none_failed_min_one_success")
def grade(retrained, applied):
    """Score, default probability and grade per customer."""
    with current_run().locked(is_shared=True) as steps:
        return steps.grade(retrained or applied)


@task
def sensitivity(graded):
    """What a change of one risk factor at a time does to the ratings."""
    with current_run().locked(is_shared=True) as steps:
        return steps.sensitivity(graded)


@task(inlets=[records], outlets=[credit_grades, *rating_tables])
def publish(outlet_events=None):
    """Stage, audit and swap in the month's new revision."""
    run = current_run()
    with run.locked() as steps:
        outcome = steps.publish()
    if steps.dry_run:
        raise AirflowSkipException(f"{run.month} dry run, nothing published: {outcome}")
    describe(outlet_events[credit_grades], run.month, outcome)
    return outcome


@task
def monitor():
    """Measure the models of the published month, and hold them against the policy's limits."""
    return current_run().steps.monitor()


@task
def require_passed(measured):
    """Red where a model passed a limit. A leaf of its own: the run fails, and nothing waits for it."""
    from pipeline.monitoring import monitor

    monitor.require_passed(measured)


@task
def report():
    """Write the monthly report again, now that drift is known."""
    return current_run().steps.report()


@dag(
    schedule=monthly(),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["rating", "monthly"],
    params={
        "rating_month": RATING_MONTH,
        "mode": Param("auto", enum=["auto", "retrain", "apply"]),
        "model_version": Param(None, type=["null", "string"], description="apply this version"),
        "basis": BASIS,
        "dry_run": Param(False, type="boolean", description="do everything but publish"),
        "accept_moves": Param(
            False, type="boolean", description="publish even if more grades change than the policy lets pass"
        ),
    },
)
def credit_rating():
    indices, chosen = compute_indices(), choose_model()
    changes = sensitivity(grade(retrain(chosen["decision"]), chosen["applied"]))
    wait_for_billing_close() >> extract() >> validate() >> indices >> chosen
    published, measured = publish(), monitor()
    [changes, indices >> group()] >> published >> [measured, approve_model()]
    [require_passed(measured), measured >> report()]


credit_rating()
