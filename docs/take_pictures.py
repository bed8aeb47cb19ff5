"""``make pictures``: the pictures of the README and of docs/, taken of the demo's own pages.

Rates the demo's months in a home of its own, starts Airflow there and looks at it with Debian's chromium.
"""

import json
import os
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from sqlalchemy import text

from pipeline.database import connect
from pipeline.local import airflow as local_airflow
from pipeline.local import demo
from pipeline.local.airflow_client import ADMIN
from pipeline.local.databases import with_databases
from pipeline.report.report import file_name
from pipeline.settings import Settings
from tests.support.browser import FLAGS, log_in
from tests.support.console import chromium

FOLDER = Path(__file__).resolve().parent / "pictures"
SIZE = {"width": 1280, "height": 860}
WAIT_MS = 120_000


def main() -> None:
    """Write docs/pictures/*.png anew."""
    browser = chromium()
    if browser is None:
        sys.exit("no chromium on this machine: Debian's is installed with apt-get install chromium")
    home = Path(os.environ.get("GRIDGRADE_HOME", ".gridgrade/pictures")).absolute()
    demo.run(Settings.load(home=home), advance=lambda done, total, what: print(what))
    settings = with_databases(Settings.load(home=home))
    FOLDER.mkdir(exist_ok=True)
    with local_airflow.running(settings, echo=print) as airflow, sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(browser), args=list(FLAGS))
        page = started.new_page(viewport=SIZE)
        page.set_default_timeout(WAIT_MS)
        page.goto((settings.reports_path / file_name(demo.LAST_MONTH, "en")).as_uri())
        _take(page, "report")
        log_in(page, airflow.url, ADMIN, json.loads(local_airflow.password_file(settings).read_text())[ADMIN])
        [run_id] = airflow.run_ids("credit_rating", str(demo.LAST_MONTH))[-1:]
        page.goto(f"{airflow.url}/dags/credit_rating/runs/{run_id}")
        page.wait_for_load_state("networkidle")
        _take(page, "run")
        page.goto(f"{airflow.url}/plugin/gridgrade")
        console = page.frame_locator("iframe[title=Gridgrade]")
        console.get_by_role("heading", name="Portfolio").wait_for()
        _take(page, "console")
        customer = _customer_with_reasons(settings)
        page.goto(f"{airflow.url}/gridgrade/customer?id={customer}")
        _take(page, "customer")
        started.close()


def _customer_with_reasons(settings: Settings) -> str:
    """A customer of the middle of the scale, of whom there is something to say."""
    query = (
        "select customer_id from report.current_grades where grade = 'B' and reason_3 is not null order by 1 limit 1"
    )
    with connect(settings.warehouse).connect() as connection:
        return connection.execute(text(query)).scalar_one()


def _take(page: Page, name: str) -> None:
    page.screenshot(path=str(FOLDER / f"{name}.png"), animations="disabled")
    print(f"docs/pictures/{name}.png")


if __name__ == "__main__":
    main()
