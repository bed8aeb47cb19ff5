"""When a month is rated by itself: Airflow's timetable of partitions, with two differences that matter to operators."""

from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.trigger import CronPartitionTimetable


class MonthlyTimetable(CronPartitionTimetable):
    """A run a month, which carries the month before as its partition.

    A backfill starts nothing but its own runs. To Airflow's timetable a backfilled month is the last run there was, so
    that the latest month, which nobody asked for, would be due at once. The id of a run begins with its month.
    """

    def next_dagrun_info_v2(self, *, last_dagrun_info, restriction):
        """The next scheduled run, after the last that was scheduled."""
        # A backfill's run is due when its month begins, a scheduled one when its month is over.
        if last_dagrun_info is not None and last_dagrun_info.run_after == last_dagrun_info.partition_date:
            last_dagrun_info = None
        return super().next_dagrun_info_v2(last_dagrun_info=last_dagrun_info, restriction=restriction)

    def generate_run_id(self, *, run_type, run_after, data_interval, **extra) -> str:
        """``scheduled__2026-10__...``, unique and in the order of months."""
        made = super().generate_run_id(run_type=run_type, run_after=run_after, data_interval=data_interval)
        month = extra.get("partition_key")
        return made.replace("__", f"__{month}__", 1) if month else made


class GridgradeTimetables(AirflowPlugin):
    """Makes the timetable known to the scheduler."""

    name = "gridgrade_timetables"
    timetables = [MonthlyTimetable]  # noqa: RUF012 as Airflow declares it
