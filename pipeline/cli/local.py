"""The trial installation on this machine: ``demo``, ``up`` and ``down``."""

from typing import Annotated

import typer

from pipeline.cli.console import AsJson, print_json, progress, say
from pipeline.settings import Settings

app = typer.Typer()


@app.command()
def demo(
    customers: Annotated[int, typer.Option(min=100, help="size of the sample utility")] = 2000,
    months: Annotated[int, typer.Option(min=20, help="months of its history")] = 36,
    rate_last: Annotated[int, typer.Option(min=1, help="how many of them to rate")] = 3,
    as_json: AsJson = False,
) -> None:
    """Rate a sample utility through Airflow's own scheduler, and say where to look."""
    from pipeline.cli.show.demo import show_demo
    from pipeline.local import demo as runner

    with progress(lines=True) as advance:
        summary = runner.run(
            Settings.load(), customers=customers, months_of_history=months, rate_last=rate_last, advance=advance
        )
    if as_json:
        print_json(summary)
    else:
        show_demo(summary)


@app.command()
def up() -> None:
    """Airflow with its pages on this machine only, until interrupted."""
    from pipeline.local import demo as runner

    runner.up(Settings.load(), lambda line: say(line, stderr=True))


@app.command()
def down() -> None:
    """Stop the Airflow and the PostgreSQL that live under GRIDGRADE_HOME."""
    from pipeline.local import demo as runner

    runner.down(Settings.load())
