"""Nothing that is rated follows from the machine's clock: not from its time, nor its zone, nor which way it goes."""

import json
import os
import subprocess
import sys

import pytest

from pipeline.cycle import rate_month
from pipeline.month import RatingMonth
from pipeline.resources import ROOT
from pipeline.sample import LAST, generate
from pipeline.source.write import replace_tables
from tests.support.environment import variables
from tests.support.records.indices import MODELS, expert, register

# Every module of ours that asks the time is told another year each time, sometimes an instant before midnight.
JUMPING = """
import datetime, importlib, json, pkgutil, random, sys, time
import pipeline

draw, real = random.Random(7), datetime.datetime
class Kind(type):
    def __instancecheck__(cls, value):
        return isinstance(value, real)
class Jumping(real, metaclass=Kind):
    asked = 0
    @classmethod
    def now(cls, tz=None):
        Jumping.asked += 1
        day = real.now(tz) + datetime.timedelta(days=draw.randrange(-800, 800))
        return draw.choice([day, day.replace(hour=23, minute=59, second=59, microsecond=999999)])

for found in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
    if not found.name.endswith("__main__") and "spark" not in found.name:
        module = importlib.import_module(found.name)
        if getattr(module, "datetime", None) is real:
            module.datetime = Jumping
time.time = lambda: draw.randrange(2 ** 31)

from pipeline.cycle import rate_month
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.settings import Settings

settings = Settings.load()
months = [RatingMonth.parse(month) for month in sys.argv[2:]]
done = [rate_month(month, settings, Policy.load(), models=json.loads(sys.argv[1])) for month in months]
print(json.dumps({"content": [each["publish"]["content_sha256"] for each in done],
    "decided": [each["decide_actions"]["decided"] for each in done], "asked": Jumping.asked}))
"""
MONTHS = (LAST,)


@pytest.fixture
def filled(databases, policy, tmp_path):
    """The same installation as often as it is asked for."""

    def made(name: str):
        return databases(tmp_path / name, like=template)

    with databases(tmp_path / "template") as template:
        replace_tables(template.source, generate(40, 14))
        for family, version in MODELS.items():
            register(template, family, version, expert(policy, family))
        yield made


def rate_under_a_jumping_clock(settings, zone: str, *months: RatingMonth) -> dict:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRIDGRADE_")}
    ours = variables(settings) | {"TZ": zone, "PGTZ": zone, "PYTHONPATH": str(ROOT), "GRIDGRADE_THREADS": "2"}
    command = [sys.executable, "-c", JUMPING, json.dumps(MODELS), *map(str, months)]
    done = subprocess.run(command, env=environment | ours, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_clock_that_jumps_in_another_zone_changes_nothing_that_is_rated_or_decided(filled, policy):
    with filled("here") as settings:
        done = [rate_month(month, settings, policy, models=MODELS) for month in MONTHS]
    with filled("elsewhere") as settings:
        found = rate_under_a_jumping_clock(settings, "Pacific/Kiritimati", *MONTHS)
    assert found["content"] == [each["publish"]["content_sha256"] for each in done]
    assert found["decided"] == [each["decide_actions"]["decided"] for each in done]
    assert found["asked"] > 10  # to stamp what was written, and when
