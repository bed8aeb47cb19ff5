"""Letters: every type in both languages with its documented fields, a utility's own in front, nothing unsaid."""

import re
from datetime import UTC, datetime

import pytest

from pipeline import resources
from pipeline.actions.channels.letters import Letters, sample
from pipeline.errors import ActionError, ConfigError
from pipeline.month import RatingMonth
from pipeline.policy import Policy

ACTION = {"action_id": "id-1", "customer_id": "C1", "month": RatingMonth(2026, 10), "reason": "since <a> & b"}
LETTERS = resources.OURS[resources.LETTERS]
TYPES = sorted({path.name.split(".")[0] for path in LETTERS.glob("*.txt")})


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A utility's own folder: ``own("visit.en.txt", "...")`` puts a letter there."""
    (tmp_path / "letters").mkdir()
    monkeypatch.setenv("GRIDGRADE_PROJECT", str(tmp_path))
    return lambda name, text: (tmp_path / "letters" / name).write_text(text)


def write(policy, action_type="visit", **more):
    if "payload" not in more:
        more["payload"] = sample(action_type)
    return Letters(policy).write(action_type, **ACTION, **more)


def test_every_type_of_the_policy_has_letters_and_documented_fields(policy):
    assert set(TYPES) == set(policy.actions.types)
    for action_type in TYPES:
        assert sample(action_type)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("action_type", TYPES)
def test_every_letter_can_be_written_from_its_documented_fields(policy, action_type, language):
    due_at = datetime(2026, 11, 5, 8, tzinfo=UTC)
    letter = write(policy, action_type, language=language, due_at=due_at)
    assert letter.subject
    assert "\n" not in letter.subject
    assert "id-1" in letter.text
    assert not re.search(r"[{}]|None|undefined", letter.subject + letter.text)
    assert bool(re.search("[一-鿿]", letter.subject)) == (language == "zh")
    used = set(re.findall(r"\b(\w+)\b", "".join(p.read_text() for p in LETTERS.glob(f"{action_type}.*.txt"))))
    seen = set(sample(action_type)) - {"terms", "campaign", "rebate_action_id", "outage_id", "feeder_id"}
    assert seen <= used, "a documented field that neither letter tells"


OPTIONAL = {"contract_capacity_kva", "ends_at"}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("action_type", [name for name in TYPES if OPTIONAL & set(sample(name))])
def test_a_letter_does_without_what_may_be_unknown(policy, action_type, language):
    payload = sample(action_type) | dict.fromkeys(OPTIONAL & set(sample(action_type)))
    assert "None" not in write(policy, action_type, payload=payload, language=language).text


def test_the_letter_of_an_outage_called_off_says_so(policy):
    payload = sample("outage_notice_amendment") | {"starts_at": None, "ends_at": None}
    letter = write(policy, "outage_notice_amendment", payload=payload)
    assert letter.subject == "Planned power cut called off"
    assert "not interrupted" in letter.text


def test_instants_are_in_the_utility_s_time_zone(policy):
    local = Policy(**policy.model_dump(mode="json") | {"timezone": "Asia/Shanghai"})
    assert "2026-11-09 09:00" in write(local, "outage_notice").text


def test_a_utility_s_own_letter_comes_first(policy, own):
    own("visit.en.txt", "Please see {{ customer_id }}\n{{ reason }}, grade {{ grade }}\n")
    letter = write(policy)
    assert (letter.subject, letter.text) == ("Please see C1", "since <a> & b, grade C\n")
    assert letter.html is None
    assert write(policy, "retention").subject == "Customer C1 uses less and less"


def test_the_fields_of_a_type_of_its_own_are_documented_beside_its_letter(policy, own):
    own("payloads.yaml", "dance: {music: polka}")
    own("dance.en.txt", "Dance with {{ customer_id }}\n{{ music }}\n")
    assert write(policy, "dance").text == "polka\n"
    assert sample("visit")


def test_fields_that_cannot_be_read_name_their_file(own):
    own("payloads.yaml", "dance: {")
    with pytest.raises(ConfigError, match=r"letters/payloads\.yaml is not YAML"):
        sample("dance")


def test_a_page_goes_beside_the_text_and_is_escaped(policy, own):
    own("visit.en.html", "<p>{{ reason }}</p>")
    assert write(policy).html == "<p>since &lt;a&gt; &amp; b</p>"


def test_the_policy_may_name_another_letter_and_language(policy):
    document = policy.model_dump(mode="json")
    document["actions"]["types"]["visit"] |= {"template": "inspection", "language": "zh"}
    letter = write(Policy(**document), payload=sample("inspection"))
    assert letter.subject == "检查客户 C1 用电设施"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ no_such_field }}", "template visit.en.txt cannot be filled for this action: 'no_such_field' is undefined"),
        ("{{ grade.missing.part }}", "cannot be filled for this action"),
        ("{{ reason | local_time }}", "cannot be filled for this action"),
        ("{{ ''.__class__.__mro__ }}", "cannot be filled for this action: access to attribute '__class__'"),
        ("{{ sender.__init__.__globals__ }}", "cannot be filled for this action"),
        ("{% for n in range(10 ** 9) %}{{ n }}{% endfor %}", "cannot be filled for this action: Range too big"),
    ],
)
def test_what_cannot_be_filled_is_never_an_empty_place(policy, own, text, fault):
    own("visit.en.txt", text)
    with pytest.raises(ActionError, match=re.escape(fault)) as raised:
        write(policy)
    assert "\n" not in str(raised.value)
    assert Letters(policy).fault("visit") is None


@pytest.mark.parametrize("text", ["{% if %}", "{{ grade", "{{ grade | no_such_filter }}", "{% include 'passwd' %}"])
def test_a_template_that_cannot_be_used_is_found_before_anything_is_sent(policy, own, text):
    own("visit.en.txt", f"subject\n{text}")
    if "include" in text:
        with pytest.raises(ActionError, match="cannot be filled for this action: 'passwd' not found"):
            write(policy)
        return
    assert Letters(policy).fault("visit").startswith("template visit.en.txt, line 2: ")
    with pytest.raises(ConfigError, match=r"template visit\.en\.txt, line 2: "):
        write(policy)


def test_a_type_without_a_letter_says_where_to_put_one(policy):
    with pytest.raises(ConfigError, match=r"there is no letter dance\.en\.txt: add it to the folder letters of"):
        write(policy, "dance", payload={})
    with pytest.raises(
        ConfigError, match=r"letters/payloads\.yaml does not know dance: add its fields, or choose one of arr"
    ):
        sample("dance")
