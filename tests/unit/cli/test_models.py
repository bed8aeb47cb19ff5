"""``gridgrade models`` and ``gridgrade labels``: what they print, and that a model travels unharmed."""

import json

import numpy as np
import pytest

from pipeline.models import cohorts, fit, gates
from pipeline.models.in_force import fitted
from pipeline.month import RatingMonth
from pipeline.sample import LAST
from pipeline.scorecard import CreditModel
from pipeline.warehouse import model_registry
from pipeline.warehouse.tables import monitoring_results
from tests.support.records.indices import expert
from tests.support.records.labelled import changed, labelled

MONTH = RatingMonth(2026, 6)


@pytest.fixture(scope="module")
def frame(policy):
    return labelled(policy)


@pytest.fixture(scope="module")
def made(policy, frame):
    """A model of ``frame``, ready to be registered, and gates that it passed."""
    parts = [frame[frame["role"] == role] for role in cohorts.ROLES]
    model = fit.fit(fit.Samples(*parts, default_share=0.1), policy, "residential")
    verdict = fit.evaluated(model, parts[-1], policy)
    held = gates.held_against(policy, verdict, champion=None, score_psi=0.0, contradicted={}, adverse={})
    samples = {role: {"customers": 10, "defaults": 1} for role in cohorts.ROLES}
    return {"parameters": model.to_dict(), "metrics": verdict | {"samples": samples}, "gates": held}


def register(settings, version, made, *, family="residential", has_passed=True, month=MONTH):
    model_registry.register(
        settings,
        version=version,
        family=family,
        effective_from=month,
        parameters=made["parameters"],
        metrics=made["metrics"],
        input_sha256="i" * 64,
        policy_sha256="p" * 64,
        provenance={"cohorts": ["2025-01", "2025-02"]},
    )
    if has_passed is not None:
        model_registry.judge(settings, version, made["gates"], has_passed)


@pytest.fixture
def models(settings, made, gridgrade):
    """``models("list")`` is ``gridgrade models list``, with the version v1 registered; gives (code, out, err)."""
    register(settings, "v1", made)
    return lambda *arguments: gridgrade("models", *arguments, settings=settings)


def test_list_and_show_say_what_there_is(models, settings, made):
    register(settings, "v2", made, has_passed=False, month=MONTH + 1)
    model_registry.promote(settings, "v1", "A. Person", reason="first")
    code, out, err = models("list", "--json")
    assert (code, err) == (0, "")
    first, second = json.loads(out)
    assert first == {
        "version": "v1",
        "family": "residential",
        "status": "champion",
        "origin": "trained",
        "trained": "2026-06",
        "from": "2026-06",
        "until": None,
        "auc": round(made["metrics"]["auc"]["value"], 4),
        "gates": "passed",
        "approved_by": "A. Person",
    }
    assert (second["status"], second["gates"], second["from"]) == ("challenger", "failed", None)
    assert "v2" in models("list")[1]

    code, out, _ = models("show", "v1")
    assert code == 0
    for said in ("v1", "champion", "10, 1 defaults", "Gates", "auc", "passed", "A. Person", "first"):
        assert said in out
    shown = json.loads(models("show", "v1", "--json")[1])
    assert shown["parameters"] == made["parameters"]
    assert shown["promotions"][0]["approved_by"] == "A. Person"
    code, out, err = models("show", "v9")
    assert (code, out) == (1, "")
    assert err == "gridgrade: model v9 is not registered: gridgrade models list shows those that are\n"


def test_show_has_the_monitoring_and_the_shadow_grades(models, settings, made, tmp_path):
    register(settings, "v2", made, month=MONTH + 1)
    check = {"segment": "residential", "measure": "psi", "subject": "score", "compared_with": "training"}
    check |= {"value": 0.31, "limit_value": 0.25, "customers": 900, "status": "fail", "detail": "", "basis": "b"}
    pair = {"segment": "residential", "champion": "v1", "challenger": "v2"}
    pairs = [("AAA", "AAA", 500), ("AAA", "B", 7), ("B", "AA", 3)]
    shadows = [pair | {"champion_grade": a, "challenger_grade": b, "customers": n} for a, b, n in pairs]
    monitoring_results.replace(settings, MONTH, [check | {"version": "v2", "unseen": 4}], shadows)
    page = tmp_path / "page.html"
    assert models("card", "v2", "--out", str(page))[0] == 0
    assert "Population stability index of 2026-06" in page.read_text()
    out = models("show", "v2")[1]
    assert "Monitoring of 2026-06" in out
    assert "fail" in out
    assert "Customers in shadow month 2026-06: v1 down, this across" in " ".join(out.split())
    assert [cell for cell in ("AAA", "AA", "B", "500", "7", "3") if cell not in out] == []
    assert out.index("AAA ") < out.index(" AA ")
    shown = json.loads(models("show", "v2", "--json")[1])
    assert [row["customers"] for row in shown["shadow_grades"]] == [500, 7, 3]
    monitoring_results.replace(settings, MONTH, [], [])
    assert json.loads(models("show", "v2", "--json")[1])["monitoring"] == []


def test_promote_puts_in_force_and_asks_for_a_reason_against_the_gates(models, settings, made):
    register(settings, "bad", made, has_passed=False)
    register(settings, "foreign", made, has_passed=None)
    code, out, err = models("promote", "v1", "--by", "A. Person", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == [{"version": "v1", "family": "residential", "from_month": "2026-06", "by": "A. Person"}]
    assert (settings.model_cards_path / "v1.html").is_file()
    for version, found in (("bad", ""), ("foreign", "was held against no gates here")):
        code, _, err = models("promote", version)
        assert code == 1
        assert f"model {version} has not passed its gates ({found}" in err
        assert err.endswith("to overrule them give a --reason\n")
    code, *_ = models("promote", "bad", "--from", "2026-09", "--reason", "we know why", "--by", "B. Person")
    assert code == 0
    assert model_registry.champion(settings, "residential", MONTH + 3).version == "bad"
    assert model_registry.promotions(settings, "bad")[0].reason == "we know why"


def test_a_model_of_indices_that_the_policy_has_not_is_not_promoted(models, settings, policy, made):
    foreign = expert(policy).to_dict() | {"weights": {"moon_band": 1.0}}
    register(settings, "moon", made | {"parameters": foreign})
    code, _, err = models("promote", "moon")
    assert code == 1
    assert "model moon needs moon_band, which the policy's indices do not give" in err


def test_a_model_travels_as_one_file(models, settings, databases, made, gridgrade, frame, tmp_path):
    model_registry.promote(settings, "v1", "A. Person")
    file = tmp_path / "v1.json"
    assert models("export", "v1", "--out", str(file))[0] == 0
    assert models("export", "v1")[1] == file.read_text()
    with databases(tmp_path / "elsewhere") as elsewhere:
        code, out, _ = gridgrade("models", "import", str(file), "--json", settings=elsewhere)
        assert code == 0
        assert json.loads(out) == [{"version": "v1", "family": "residential", "status": "challenger"}]
        there = model_registry.model(elsewhere, "v1")
        assert (there.origin, there.gates, there.trained_month) == ("imported", None, MONTH)
        assert there.provenance["elsewhere"]["promotions"][0]["approved_by"] == "A. Person"
        assert there.provenance["elsewhere"]["has_passed"]
        assert there.parameters_sha256 == model_registry.model(settings, "v1").parameters_sha256
        np.testing.assert_array_equal(
            fitted(there).score(frame), fitted(model_registry.model(settings, "v1")).score(frame)
        )
        assert gridgrade("models", "import", str(file), settings=elsewhere)[0] == 0
        assert len(model_registry.models(elsewhere)) == 1


def tampered(document):
    document["parameters"]["discriminant"]["intercept"] += 1e-9
    return document


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (tampered, "was changed since it was exported: its sha256 is not that of its content"),
        (lambda document: document | {"version": "v2"}, "was changed since it was exported"),
        (lambda document: document | {"format": "other"}, "is not a model that gridgrade models export wrote"),
        (lambda document: [document], "is not a model that gridgrade models export wrote"),
    ],
)
def test_a_file_that_was_changed_is_refused(models, tmp_path, change, complaint):
    document = json.loads(models("export", "v1")[1])
    (tmp_path / "f.json").write_text(json.dumps(change(document)))
    code, out, err = models("import", str(tmp_path / "f.json"))
    assert (code, out) == (1, "")
    assert complaint in err
    assert err.count("\n") == 1


def test_what_is_no_file_no_json_or_of_no_family_is_one_line(models, tmp_path, policy, settings, made):
    (tmp_path / "text.json").write_text("{not json")
    assert "none.json cannot be read: No such file" in models("import", str(tmp_path / "none.json"))[2]
    assert "text.json is not JSON" in models("import", str(tmp_path / "text.json"))[2]
    register(settings, "farms", made, family="farms")
    models("export", "farms", "--out", str(tmp_path / "farms.json"))
    code, _, err = models("import", str(tmp_path / "farms.json"))
    assert code == 1
    assert "the policy has no family farms, only residential, non_residential" in err
    assert "cannot be written" in models("export", "v1", "--out", str(tmp_path / "no" / "f.json"))[2]


@pytest.mark.parametrize(("options", "quantity"), [((), "score"), (("--probability",), "default_probability")])
def test_the_sql_gives_the_models_number_in_the_warehouse(models, sql, frame, made, options, quantity):
    code, expression, _ = models("export-sql", "v1", *options)
    assert code == 0
    model = CreditModel.from_dict(made["parameters"])
    row = frame[list(model.columns)].head(1)
    columns = ", ".join(f'%s::float8 as "{name}"' for name in row)
    [(found,)] = sql(f"select {expression} from (select {columns}) as i", *map(float, row.iloc[0]))
    assert found == pytest.approx(getattr(model, quantity)(row)[0], rel=1e-9)
    assert "double precision" not in models("export-sql", "v1", "--dialect", "duckdb")[1]
    code, _, err = models("export-sql", "v1", "--dialect", "cobol")
    assert code == 1
    assert "model v1: SQL dialect 'cobol' is unknown" in err


def test_a_card_is_one_html_file(models, settings, tmp_path):
    code, out, _ = models("card", "v1")
    assert (code, out.strip()) == (0, str(settings.model_cards_path / "v1.html"))
    assert models("card", "v1", "--out", str(tmp_path / "card.html"))[0] == 0
    page = (tmp_path / "card.html").read_text()
    assert page.startswith("<!")
    for said in ("v1", "residential", "2025-01 to 2025-02 (2)", "60 days past due", "i" * 64):
        assert said in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_recalibrate_says_as_of_when(models):
    code, _, err = models("recalibrate", "v1")
    assert code == 1
    assert err == "gridgrade: nothing is published yet: say as of which month with --month\n"


def test_labels_are_counted_by_cohort_and_family(gridgrade, settings, sample_lake, monkeypatch, tmp_path, policy):
    (tmp_path / "policy.yaml").write_text("training: {cohorts: 2}")
    monkeypatch.setenv("GRIDGRADE_POLICY", str(tmp_path / "policy.yaml"))
    monkeypatch.setenv("GRIDGRADE_LAKE", str(sample_lake))
    code, out, err = gridgrade("labels", str(LAST), "--json", settings=settings)
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert [(row["cohort"], row["family"]) for row in rows] == [
        (str(LAST - months), family) for months in (7, 6) for family in ("non_residential", "residential")
    ]
    brief = changed(policy, "training", cohorts=2)
    assert rows == cohorts.outcomes(LAST, settings.model_copy(update={"lake": sample_lake}), brief)
