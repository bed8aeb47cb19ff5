"""What came out of the demo, and where to look next."""

from typing import Any

from pipeline.cli.console import print_table, say


def show_demo(summary: dict[str, Any]) -> None:
    """Grades and actions as tables, outages in words, and the places to look at."""
    months = summary["months"]
    grades = list(dict.fromkeys(grade for month in months.values() for grade in month["grades"]))
    rows = [
        (
            name,
            *(month["grades"].get(grade, 0) for grade in grades),
            f"{month['rebates']:,} ({month['rebate_amount']})",
            "new" if month["changed"] else "unchanged",
        )
        for name, month in months.items()
    ]
    headings = ("rating month", *grades, "rebates proposed", "publication")
    print_table(headings, rows, title="Customers by grade, from Airflow's scheduler")
    if not any(month["changed"] for month in months.values()):
        say("Nothing changed: these months were published already, with the same content.")
    actions = [(row["action_type"], row["status"], row["actions"]) for row in summary["actions"]]
    print_table(("type", "status", "actions"), actions, title="Actions in the outbox")
    for row in summary["outage_notices"]:
        say(
            f"outage      {row['outage_id']} starts {row['starts_at']} UTC: "
            f"{row['notified']} of {row['customers']} customers notified, {row['hours_ahead']:g} hours ahead"
        )
    last = next(reversed(months))
    say(
        f"report      {summary['report']}",
        f"validation  {summary['data_docs']}",
        f"warehouse   {summary['warehouse']}",
        f"task logs   {summary['logs']}",
        f"next        make up: Airflow's own pages, the console under {summary['console']}",
        f"            .venv/bin/gridgrade grades {last}",
    )
