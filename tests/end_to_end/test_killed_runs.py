"""A cycle killed at any point: the next run completes it, and publishes what an undisturbed one would have."""

import json
import os
import random
import signal
import time
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.cycle import rate_month
from pipeline.lake import Lake
from pipeline.sample import LAST, generate
from pipeline.source.write import replace_tables
from pipeline.warehouse import publications
from pipeline.warehouse.connection import transaction
from pipeline.warehouse.monthly_tables import TABLES
from tests.support.environment import variables
from tests.support.killable_runs import Forks
from tests.support.records.indices import MODELS, expert, register
from tests.support.records.lake import fill_lake

RATE = """
import json, os, signal, sys, threading
from collections import Counter
from pathlib import Path
from pipeline.ingest import extract
from pipeline.ingest import validate
from pipeline.cycle import rate_month
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.resources import ROOT
from pipeline.settings import Settings

asked = json.loads(ASKED)
package, calls = str(ROOT / "pipeline"), Counter()

def called(frame, event, argument):
    \"\"\"Kill the process at the given call of the given function of the pipeline.\"\"\"
    if event == "call" and frame.f_code.co_filename.startswith(package):
        name = f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"
        calls[name] += 1
        if [name, calls[name]] == asked["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)

if asked["from_lake"]:
    extract.extract = validate.validate = lambda *inputs, **options: {}
if asked["kill"] or asked["calls"]:
    threading.setprofile(called)
    sys.setprofile(called)
rate_month(RatingMonth.parse(asked["month"]), Settings.load(), Policy.load(), **asked["options"])
sys.setprofile(None)
if asked["calls"]:
    Path(asked["calls"]).write_text(json.dumps(calls))
"""


class Trial:
    """The same month of the same installation again and again, each time on a copy."""

    def __init__(self, forks, databases, template, folder: Path, *, from_lake: bool, **options):
        self._forks, self._databases, self._template, self._folder = forks, databases, template, folder
        self._asked = {"month": str(LAST), "from_lake": from_lake, "options": options}
        self._copies = 0

    def _copy(self):
        self._copies += 1
        return self._databases(self._folder / f"home-{self._copies}", like=self._template)

    def _start(self, settings, kill=None, calls=None) -> int:
        asked = self._asked | {"kill": kill, "calls": calls and str(calls)}
        return self._forks.start(RATE.replace("ASKED", repr(json.dumps(asked))), variables(settings))

    def undisturbed(self) -> tuple[tuple, Counter]:
        """What comes out, and how often each function of the pipeline was called on the way."""
        calls = self._folder / "calls.json"
        with self._copy() as settings:
            assert self._forks.wait(self._start(settings, calls=calls)) == 0
            return outcome(settings), Counter(json.loads(calls.read_text()))

    def seconds(self) -> float:
        """How long it takes undisturbed."""
        with self._copy() as settings:
            started = time.monotonic()
            assert self._forks.wait(self._start(settings)) == 0
            return time.monotonic() - started

    def killed_at(self, function: str, call: int) -> tuple:
        """What comes out when the run dies there and another one follows."""
        with self._copy() as settings:
            assert self._forks.wait(self._start(settings, kill=[function, call])) == -signal.SIGKILL
            return self._completed(settings)

    def killed_after(self, seconds: float) -> tuple | None:
        """The same when it dies after that time, in the middle of whatever it does; None if it was quicker."""
        with self._copy() as settings:
            run = self._start(settings)
            time.sleep(seconds)
            os.kill(run, signal.SIGKILL)
            ended = self._forks.wait(run)
            assert ended in (0, -signal.SIGKILL)
            return self._completed(settings) if ended else None

    def _completed(self, settings) -> tuple:
        assert self._forks.wait(self._start(settings)) == 0
        return outcome(settings)


def outcome(settings) -> tuple:
    """What readers see, what was decided, and what lies about."""
    with transaction(settings) as connection:

        def read(query):
            return [tuple(row) for row in connection.execute(publications.text(query))]

        found = publications.current(connection, LAST)
        tables = "|".join(TABLES)
        return (
            (found.revision, found.content_sha256, found.recipe_sha256, found.followed_up_at is not None),
            read("select action_id, customer_id, status, reason from ops.service_actions order by action_id"),
            read("select customer_id, rebate from ops.arrears_rebates order by 1"),
            read("select version, status, parameters_sha256 from rating.models order by 1"),
            read(f"select count(*) from pg_class where relkind = 'r' and relname ~ '^({tables})_.*_r[0-9]+$'"),
            sorted(str(p.relative_to(settings.lake_path)) for p in settings.lake_path.glob(".staging/*")),
        )


def points(calls: Counter, number: int, seed: int) -> list[tuple[str, int]]:
    """So many functions, each at one of its calls."""
    drawn = random.Random(seed)
    return [(name, drawn.randint(1, calls[name])) for name in drawn.sample(sorted(calls), number)]


@pytest.fixture(scope="module")
def rated_before(databases, policy, tmp_path_factory):
    """A small sample in the lake, and a model to rate it by."""
    batches = defaultdict(list)
    for name, batch in generate(150, 10):
        batches[name].append(batch)
    with databases(tmp_path_factory.mktemp("before") / "home") as settings:
        fill_lake(
            Lake(settings.lake_path), {name: pa.Table.from_batches(parts) for name, parts in batches.items()}, LAST
        )
        for family, version in MODELS.items():
            register(settings, family, version, expert(policy))
        yield settings


@pytest.mark.trial
def test_a_cycle_killed_on_its_way_is_completed_by_the_next(forks, databases, rated_before, tmp_path):
    trial = Trial(forks, databases, rated_before, tmp_path, from_lake=True, models=MODELS)
    expected, calls = trial.undisturbed()
    [point] = points(calls, 1, seed=1)
    assert trial.killed_at(*point) == expected, point


@pytest.fixture(scope="module")
def preloaded():
    """Forks that need not import Great Expectations either."""
    forks = Forks(preload=["great_expectations"])
    yield forks
    forks.close()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("history", ["an empty lake", "the month before"])
def test_a_cycle_killed_at_many_points_is_completed_by_the_next(preloaded, databases, policy, tmp_path, history):
    """Extraction, validation, training and all: at fourteen points of the code, and at six moments of a run."""
    with databases(tmp_path / "template") as template:
        replace_tables(template.source, generate(300, 26))
        if history == "the month before":
            rate_month(LAST - 1, template, policy)
        trial = Trial(preloaded, databases, template, tmp_path, from_lake=False, mode="retrain")
        expected, calls = trial.undisturbed()
        for point in points(calls, 14, seed=26):
            assert trial.killed_at(*point) == expected, point
        drawn, takes, killed = random.Random(26), trial.seconds(), 0
        while killed < 6:
            moment = drawn.uniform(0, takes)
            if (outcome_then := trial.killed_after(moment)) is not None:
                assert outcome_then == expected, moment
                killed += 1
