"""Files that say they are a model: refused in one line, or imported and able to score; nothing is left in between."""

import copy
import hashlib
import json
import math
import random

import pytest

from pipeline.models.in_force import fitted
from pipeline.models.transfer import FORMAT, exported
from pipeline.warehouse import model_registry
from tests.support.records.explained_customers import fitted as learnt
from tests.support.records.indices import expert, register

HOSTILE = (
    *(None, True, "", "x", [], {}, 0, -1, 1e308, -1e-308, 10**40, math.inf, math.nan),
    *("../../../outside", "/tmp/outside", "..", ".", "a/b", "a\\b", "\x00", "\ud800", "\u202e", "\x1b[2J", "[bold]x"),
    *(
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}",
        "'; drop table rating.models; --",
        '"',
        "=1+1",
        "x" * 5000,
        "9999-12",
    ),
    *([[]] * 3, [1e9] * 400, {"a": {"b": {"c": {}}}}, {"__class__": "os.system"}, ["a", None, 3]),
)


@pytest.fixture
def documents(settings, policy, people):
    """Two good files: a fitted model and an expert scorecard. The registry is empty again."""
    register(settings, "residential", "learnt", learnt(people, policy))
    register(settings, "residential", "experts", expert(policy))
    made = [json.loads(exported(settings, version)) for version in ("learnt", "experts")]
    for version in ("learnt", "experts"):
        model_registry.remove(settings, version)
    return made


@pytest.fixture
def trial(settings, gridgrade, tmp_path):
    """Import a text: the exit code and what was said, after the registry and the folders were looked through."""
    folder = tmp_path / "given"
    folder.mkdir()

    def files():
        return {path for path in tmp_path.rglob("*") if path.is_file() and "lake" not in path.parts}

    def run(text: str | bytes):
        file = folder / "model.json"
        file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        before = files()
        code, out, err = gridgrade("models", "import", str(file), "--json", settings=settings)
        new = {path.relative_to(settings.home).as_posix() for path in files() - before}
        listed = gridgrade("models", "list", "--json", settings=settings)
        assert listed[0] == 0, listed
        versions = [row["version"] for row in json.loads(listed[1])]
        if code:
            assert (code, out, new, versions) == (1, "", set(), [])
            assert err.count("\n") == 1
            assert len(err) < 600
            assert "not foreseen" not in err
        else:
            [version] = versions
            assert new == {f"model_cards/{version}.html"}
            assert gridgrade("models", "show", version, settings=settings)[0] == 0
            assert fitted(model_registry.model(settings, version)).to_sql()
            assert gridgrade("models", "remove", version, settings=settings)[0] == 0
            assert files() == before
        return code, err

    return run


def rehashed(document):
    """As who made the file would hash it."""
    if isinstance(document.get("parameters"), dict):
        document["parameters_sha256"] = hashlib.sha256(json.dumps(document["parameters"]).encode()).hexdigest()
    rest = {name: value for name, value in document.items() if name != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return document | {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def places(value, path=()):
    """The path of every value within a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def mutated(document, draw):
    """One to three places changed, and hashed as if nothing had happened; or the text itself damaged."""
    document = copy.deepcopy(document)
    for _ in range(draw.randint(1, 3)):
        everywhere = sorted(places(document), key=len)
        path = draw.choice(everywhere[: draw.choice([20, 60, len(everywhere)])])
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        how = draw.randrange(6)
        if how == 0:
            del holder[path[-1]]
        elif how == 1 and isinstance(holder, dict):
            holder[draw.choice([text for text in HOSTILE if isinstance(text, str)])] = holder[path[-1]]
        elif how == 2 and isinstance(holder[path[-1]], int | float):
            holder[path[-1]] = holder[path[-1]] * draw.choice([-1, 0, 1e-9, 1e9])
        else:
            holder[path[-1]] = copy.deepcopy(draw.choice(HOSTILE))
    text = json.dumps(rehashed(document) if draw.random() < 0.95 else document)
    if draw.random() < 0.05:
        at = draw.randrange(len(text))
        text = text[:at] + draw.choice(["", "\x00", "[" * 100_000, '"']) + text[at + 1 :]
    return text


def try_out(documents, trial, seeds):
    for document in documents:
        assert trial(json.dumps(document))[0] == 0
    codes = []
    for seed in seeds:
        draw = random.Random(seed)
        codes.append(trial(mutated(draw.choice(documents), draw))[0])
    assert set(codes) == {0, 1}, codes


def test_hostile_files_are_refused_or_can_score(documents, trial):
    try_out(documents, trial, range(25))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_hostile_files_are_refused_or_can_score(documents, trial):
    try_out(documents, trial, range(1000))


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("version", "../../outside", "version: String should match pattern"),
        ("version", "/tmp/outside", "version: String should match pattern"),
        ("version", "v1\n", "version: String should match pattern"),
        ("family", "a/b", "family: String should match pattern"),
        ("trained_month", "2026-13", "'2026-13' is not a rating month"),
        ("metrics", {"auc": "high"}, "metrics.auc: should be"),
        ("metrics", {"auc": {"value": 10**400}}, "a number that is not finite"),
        ("metrics", {"samples": {"fit": {}}}, "metrics.samples.fit.customers: is required"),
        ("promotions", [{"reason": "\x00"}], "text with a NUL or half a character"),
        ("gates", "none", "gates: should be"),
        ("more", 1, "more: is not known here"),
    ],
)
def test_what_is_wrong_is_named(documents, trial, name, value, complaint):
    code, err = trial(json.dumps(rehashed(documents[0] | {name: value})))
    assert (code, complaint in err) == (1, True), err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[" * 200_000, "is not JSON"),
        ('{"format": "' + FORMAT + '", "a": ' + "[" * 60 + "]" * 60 + "}", "more than 24 deep"),
        (b"\xff\xfe{}", "is not JSON"),
        (" " * 16_000_001, "is not a model that gridgrade models export wrote"),
        ('{"format": "' + FORMAT + '", "a": 1e999}', "a number that is not finite"),
    ],
)
def test_what_is_no_document_is_refused(trial, text, complaint):
    assert complaint in trial(text)[1]


def test_only_what_never_served_is_removed(settings, policy, gridgrade):
    register(settings, "residential", "served", expert(policy))
    model_registry.promote(settings, "served", "A. Person")
    code, _, err = gridgrade("models", "remove", "served", settings=settings)
    assert (code, err) == (1, "gridgrade: model served was put in force: it stays on record\n")
    assert "model nobody is not registered" in gridgrade("models", "remove", "nobody", settings=settings)[2]


def test_a_card_stays_in_its_folder(settings, sql, gridgrade, policy, tmp_path):
    register(settings, "residential", "v1", expert(policy))
    sql("set constraints all deferred")
    sql("delete from rating.model_coefficients")
    sql("update rating.models set version = '../../outside'")
    code, _, err = gridgrade("models", "card", "../../outside", settings=settings)
    assert code == 1
    assert "would lie outside" in err
    assert not list(tmp_path.rglob("outside.html"))
