"""The statements under sql/warehouse: as their headers say, and each used somewhere."""

import re

import pytest

from pipeline.errors import ConfigError
from pipeline.resources import ROOT, SQL
from pipeline.warehouse.statements import statement

WAREHOUSE = SQL / "warehouse"
NAMES = sorted(
    str(path.relative_to(WAREHOUSE).with_suffix(""))
    for path in WAREHOUSE.glob("*/*.sql")
    if path.parent.name not in ("migrations", "reports")
)


def header_and_body(name):
    lines = (WAREHOUSE / f"{name}.sql").read_text().splitlines()
    end = next(place for place, line in enumerate(lines) if not line.startswith("--"))
    return " ".join(line.removeprefix("--").strip() for line in lines[:end]), "\n".join(lines[end:])


def listed(header, what, name):
    """The names that follow ``what`` in a header, without the remarks in brackets."""
    found = re.search(rf"\b{what}: ((?:[^.()]|\([^()]*\))*)\.", header)
    return set(re.findall(name, re.sub(r"\([^()]*\)", "", found[1]))) if found else set()


@pytest.mark.parametrize("name", NAMES)
def test_the_header_names_parameters_and_fragments(name):
    header, body = header_and_body(name)
    assert re.match(r"[A-Z].*\.", header)
    bound = set(re.findall(r"(?<![:\w]):([a-z_]+)|(\$\d)", body))
    assert listed(header, "Parameters", r"\$\d|[a-z_]{2,}") - {"and"} == {one or other for one, other in bound}
    assert listed(header, "Fragments", r"[a-z_]{2,}") - {"and"} == set(re.findall(r"\{(\w*)\}", body))


def test_every_file_is_used_and_every_statement_is_there():
    code = "\n".join(path.read_text() for path in (ROOT / "pipeline").rglob("*.py"))
    called = set(re.findall(r'statement\(\s*"([\w/]+)"', code))
    assert called <= set(NAMES)
    by_part_of_the_name = {name for name in NAMES if f'"{name.split("/")[1]}"' in code}
    assert set(NAMES) <= called | by_part_of_the_name


def test_fragments_are_put_in_and_the_header_left_out():
    assert statement("outbox/untouched", alias="s").startswith("(\n    s.status in")


def test_a_statement_that_is_not_there_is_one_clear_line():
    with pytest.raises(ConfigError, match=r"there is no sql/warehouse/outbox/moon\.sql"):
        statement("outbox/moon")
