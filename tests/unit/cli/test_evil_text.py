"""Text that a billing system or a person may bring, through the commands, pages, letters and files that show it."""

import csv
import json
import unicodedata
from email.headerregistry import Address
from types import SimpleNamespace
from uuid import UUID

import psycopg
import pyarrow as pa
import pytest

from pipeline.actions.channels.letters import Letters, sample
from pipeline.actions.channels.mail import composed
from pipeline.grading.grade import grade
from pipeline.publishing.publish import publish
from pipeline.text import visible
from pipeline.warehouse import model_registry
from tests.support.records.indices import BASIS, MODELS, OCTOBER, customer, expert, register, write_indices

EVIL = {
    "terminal": "\x1b[2J\x1b]0;owned\x07C1",
    "lines": "C2\r\nBcc: all@example.org\n\nC2",
    "turned": "C3\u202egnp.exe\u2066",
    "markup": "[bold red]C4[/] :smile:",
    "formula": '=HYPERLINK("http://example.org","C5")',
    "command": "@SUM(1+1)*cmd|' /C calc'!A0",
    "html": "<script>alert(1)</script>",
    "template": "{{ 7 * 7 }}{% raw %}",
}
ACTION = UUID(int=7)
_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def acts(text: str) -> set[str]:
    """The characters that a terminal, a mail program or a reader's eye would act on; ends of lines aside."""
    return {
        each
        for each in text
        if (unicodedata.category(each) in ("Cc", "Zl", "Zp") and each != "\n")
        or unicodedata.bidirectional(each) in _TURNING
    }


@pytest.fixture(scope="module")
def evil(databases, policy, tmp_path_factory):
    """October with customers and regions of these names, their actions, and overrides for these reasons."""
    with databases(tmp_path_factory.mktemp("evil") / "home") as settings:
        for family, version in MODELS.items():
            register(settings, family, version, expert(policy, family))
        gate = {"gate": "auc", "passed": True, "is_hard": True, "value": 0.8, "limit": 0.6, "detail": EVIL["html"]}
        model_registry.judge(settings, "homes", [gate], has_passed=True)
        model_registry.promote(settings, "homes", EVIL["terminal"], reason=EVIL["turned"])
        rows = [customer(n, policy, customer_id=text, region=text) for n, text in enumerate(EVIL.values())]
        write_indices(settings, pa.Table.from_pylist(rows))
        grade(OCTOBER, settings, policy, **BASIS, models=MODELS)
        publish(OCTOBER, settings, policy, **BASIS, run_id="test", run_kind="command")
        url = settings.warehouse.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url) as connection:
            for number, text in enumerate(EVIL.values(), ACTION.int):
                texts = {name: text for name, value in sample("visit").items() if isinstance(value, str)}
                connection.execute(
                    """
                    insert into ops.service_actions (action_id, rating_month, customer_id, action_type, reason, payload,
                        status, run_kind, publication_id)
                    select %s, '2026-10-01', %s, 'visit', %s, %s, 'proposed', 'scheduled', publication_id
                    from ops.publications
                    """,
                    [UUID(int=number), text, text, json.dumps(sample("visit") | texts)],
                )
        yield settings


SHOWN = [
    ("grades", "2026-10"),
    ("grades", "2026-10", "--format", "csv"),
    ("grades", "2026-10", "--json"),
    ("actions", "list"),
    ("actions", "list", "--json"),
    ("override", "list"),
    ("models", "show", "homes"),
    ("models", "list"),
    ("diff", "2026-10"),
    ("rate", "2026-10", "--model", EVIL["terminal"]),
    *(("explain", "2026-10", text) for text in EVIL.values()),
    *(("actions", "show", str(UUID(int=ACTION.int + number))) for number in range(len(EVIL))),
]


@pytest.mark.parametrize("command", SHOWN, ids=lambda command: visible(" ".join(command))[:40])
def test_a_command_shows_text_as_text(gridgrade, evil, command):
    if command[0] == "override":
        for text in EVIL.values():
            asked = ("--grade", "A", "--reason", text, "--by", text)
            said = gridgrade("override", "add", EVIL["html"], *asked, settings=evil)
            assert said[0] == 0
            assert not acts(said[1] + said[2])
    _, out, err = gridgrade(*command, settings=evil)
    is_streamed = command == ("grades", "2026-10", "--json")  # by the engine: JSON as it may be, no control in it
    assert not (set(out) & {"\x1b", "\x07", "\r"} if is_streamed else acts(out + err))
    assert "not foreseen" not in err
    if command[:2] in (("grades", "2026-10"), ("actions", "list")) and "--json" not in command:
        shown = out.replace('""', '"')
        assert all(visible(text) in shown for text in EVIL.values())
    elif command[:2] == ("grades", "2026-10"):
        assert {row["customer_id"] for row in json.loads(out)} == set(EVIL.values())


@pytest.mark.parametrize("command", [("grades", "2026-10"), ("actions", "list")], ids=" ".join)
def test_a_file_for_a_spreadsheet_works_nothing_out(gridgrade, evil, tmp_path, command):
    path = tmp_path / "f.csv"
    assert gridgrade(*command, "--out", str(path), settings=evil)[0] == 0
    assert not acts(path.read_bytes().decode().replace("\r\n", "\n"))
    with path.open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert {f"'{EVIL['formula']}", f"'{EVIL['command']}", visible(EVIL["lines"])} <= set(cells)
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+", "\t"))]


@pytest.mark.parametrize("command", [("report", "2026-10"), ("models", "card", "homes")], ids=" ".join)
def test_a_page_holds_text_and_no_markup_of_it(gridgrade, evil, tmp_path, command):
    path = tmp_path / "page.html"
    assert gridgrade(*command, "--out", str(path), settings=evil)[0] == 0
    page = path.read_text(encoding="utf-8")
    assert not acts(page)
    assert "<script" not in page


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)
@pytest.mark.parametrize("action_type", ["visit", "arrears_rebate", "outage_notice", "late_fee"])
def test_a_letter_says_it_and_a_mail_has_the_headers_it_should(policy, action_type, text):
    payload = {
        name: text if isinstance(value, str) and not value[:4].isdigit() else value
        for name, value in sample(action_type).items()
    }
    letter = Letters(policy).write(
        action_type, action_id=str(ACTION), customer_id=text, month=OCTOBER, reason=text, payload=payload
    )
    assert not acts(letter.subject + letter.text)
    assert "49{% raw" not in letter.text
    sender = Address(addr_spec="bills@example.org")
    message = composed(SimpleNamespace(action_id=ACTION), letter, sender, [Address(addr_spec="c@example.org")])
    assert "Bcc" not in message
    assert not acts(message["Subject"])
