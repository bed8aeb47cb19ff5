"""A model from month to month: when it is retrained, which one is in force, and that old months keep their grades."""

from types import SimpleNamespace

import pyarrow as pa
import pytest

from pipeline.errors import AuditError, ModelError, MonitoringError
from pipeline.grading import grade
from pipeline.models import choose_model, cohorts, fit, retrain
from pipeline.monitoring import monitor
from pipeline.month import RatingMonth
from pipeline.policy import Policy
from pipeline.publishing import publish
from pipeline.warehouse import model_registry, publications
from pipeline.warehouse.connection import transaction
from tests.support.records.indices import BASIS, write_indices
from tests.support.records.labelled import LabelledRows, changed, labelled, month_of

MARCH = RatingMonth(2025, 3)
CUSTOMERS = 600


@pytest.fixture(scope="module")
def one_family(policy):
    """The default policy with households alone, any share of a grade, and judged from 500 customers on."""
    document = policy.model_dump(mode="json")
    weights = policy.expert_weights("residential")
    document |= {
        "indices": {name: document["indices"][name] for name in policy.scored("residential")},
        "expert": document["expert"] | {"weights": weights},
        "required_groups": ["payment"],
        "families": {"residential": ["residential"]},
        "label": document["label"] | {"days_past_due": {"residential": 60}},
        "publish": document["publish"] | {"max_grade_share_change": 1.0},
    }
    return Policy.model_validate(document)


@pytest.fixture(scope="module")
def made(one_family):
    """A model, ready to be registered."""
    frame = labelled(one_family)
    parts = [frame[frame["role"] == role] for role in cohorts.ROLES]
    model = fit.fit(fit.Samples(*parts, default_share=0.1), one_family, "residential")
    return {"parameters": model.to_dict(), "metrics": fit.evaluated(model, parts[-1], one_family)}


@pytest.fixture
def life(settings, one_family, made, monkeypatch):
    """A utility of 600 households. ``learns(frame)``: what training finds from now on; ``shift``: how much riskier the
    customers of the months to come are; ``champion_of(month)``: puts a model in force that was trained then;
    ``rate(month, policy)``: a month from the decision to its publication."""
    state = SimpleNamespace(settings=settings, policy=one_family, shift=0.0)

    def champion_of(month, **changed):
        usual = {"version": f"old-{month}", "family": "residential", "effective_from": month, **made}
        hashes = {"input_sha256": "i" * 64, "policy_sha256": "p" * 64}
        model_registry.register(settings, **usual | hashes | changed)
        return model_registry.promote(settings, f"old-{month}", "test", from_month=month).version

    def learns(frame):
        monkeypatch.setattr(cohorts, "labelled", LabelledRows({"residential": frame}))

    def measure(month):
        frame = month_of(one_family, CUSTOMERS, month.year * 100 + month.month, shift=state.shift)
        write_indices(settings, pa.Table.from_pandas(frame, preserve_index=False), month)

    def model(month, policy=one_family, *, mode="auto", model_version=None, dry_run=False):
        inputs = (month, settings, policy)
        decision = choose_model.choose(*inputs, mode=mode, model_version=model_version)
        if decision["mode"] == "retrain":
            return decision, retrain.retrain(
                *inputs, families=decision["families"], why=decision["why"], dry_run=dry_run
            )
        return decision, choose_model.apply(*inputs, model_version=model_version, why=decision["why"])

    def rate(month, policy=one_family, **asked):
        measure(month)
        decision, chosen = model(month, policy, **asked)
        rated_by = {name: chosen[name] for name in ("models", "promotes", "decision")}
        grade.grade(month, settings, policy, **BASIS, **rated_by)
        dry_run = asked.get("dry_run", False)
        published = publish.publish(
            month, settings, policy, run_id="t", run_kind="command", dry_run=dry_run, accept_moves=True
        )
        version = chosen["models"]["residential"]
        return SimpleNamespace(why=decision["why"], mode=decision["mode"], version=version, publish=published)

    learns(labelled(one_family))
    state.__dict__.update(learns=learns, measure=measure, model=model, rate=rate, champion_of=champion_of)
    return state


def champion(life, month):
    found = model_registry.champion(life.settings, "residential", month)
    return found and found.version


def worse(policy, seed=9):
    """Labels that say nothing, but for the test rows."""
    frame = labelled(policy, seed=seed)
    mixed = frame["is_default"].sample(frac=1, random_state=1).to_numpy()
    return frame.assign(is_default=frame["is_default"].where(frame["role"] == "test", mixed).astype("int32"))


def test_a_model_is_trained_when_there_is_none_and_applied_from_then_on(life, sql):
    first = life.rate(MARCH)
    assert (first.mode, first.why) == ("retrain", "residential: no model is in force")
    assert champion(life, MARCH - 1) is None
    assert champion(life, MARCH) == first.version
    second = life.rate(MARCH + 1)
    assert (second.mode, second.version) == ("apply", first.version)
    assert second.why == "nothing speaks for retraining"
    [(first_said,), (second_said,)] = sql("select model_decision from ops.publications order by rating_month")
    assert first_said.startswith("retrained: residential: no model is in force; ")
    assert second_said == "applied: nothing speaks for retraining"
    [promotion] = model_registry.promotions(life.settings, first.version)
    assert (promotion.from_month, promotion.approved_by) == (MARCH, "policy")
    assert "is the first model" in promotion.reason


def test_the_calendar_is_the_policys(life):
    first = life.champion_of(MARCH)
    decisions = [choose_model.choose(MARCH + age, life.settings, life.policy) for age in range(1, 13)]
    assert [decision["mode"] for decision in decisions] == ["apply"] * 11 + ["retrain"]
    assert decisions[-1]["why"] == "residential: calendar: 12 months since the training of 2025-03, policy every 12"
    assert decisions[-1]["families"] == ["residential"]

    def mode(month, **values):
        return choose_model.choose(month, life.settings, changed(life.policy, "retraining", **values))["mode"]

    assert [mode(MARCH + age, every_months=5) for age in (4, 5)] == ["apply", "retrain"]
    assert [mode(MARCH + age, in_months=[4]) for age in (1, 2)] == ["retrain", "apply"]
    assert mode(MARCH + 50, every_months=0) == "apply"
    assert choose_model.apply(MARCH + 50, life.settings, life.policy)["models"] == {"residential": first}


def test_an_expert_scorecard_is_tried_again_sooner(life):
    life.champion_of(
        MARCH, parameters=fit.expert_scorecard(life.policy, "residential").to_dict(), metrics={}, origin="expert"
    )
    assert choose_model.choose(MARCH + 2, life.settings, life.policy)["mode"] == "apply"
    assert choose_model.choose(MARCH + 3, life.settings, life.policy)["mode"] == "retrain"
    assert choose_model.choose(MARCH + 2, life.settings, changed(life.policy, "retraining", expert_every_months=2))[
        "families"
    ]


def test_a_planted_drift_triggers_retraining_and_is_a_failed_check_until_then(life, sql):
    first = life.champion_of(MARCH)
    life.measure(MARCH + 4)
    assert choose_model.choose(MARCH + 4, life.settings, life.policy)["mode"] == "apply"
    life.shift = 1.5
    life.measure(MARCH + 4)
    decision = choose_model.choose(MARCH + 4, life.settings, life.policy)
    assert decision["mode"] == "retrain"
    assert decision["why"].startswith("residential: drift: score ")
    assert "(limit 0.25)" in decision["why"]

    off = changed(life.policy, "retraining", on_drift=False)
    drifted = life.rate(MARCH + 4, off)
    assert (drifted.mode, drifted.version) == ("apply", first)
    summary = monitor.monitor(MARCH + 4, life.settings, off)
    assert any("psi of score" in line for line in summary["failed"])
    with pytest.raises(MonitoringError) as raised:
        monitor.require_passed(summary)
    assert str(raised.value).startswith(f"published, but past a limit of policy monitoring: 2025-07: {first} ")
    assert "\n" not in str(raised.value)
    failed = sql(
        "select subject from report.model_monitoring where rating_month = '2025-07-01' and status = 'fail' order by 1"
    )
    assert ("score",) in failed
    before = sql("select count(*) from rating.model_monitoring")
    monitor.monitor(MARCH + 4, life.settings, off)
    assert sql("select count(*) from rating.model_monitoring") == before
    passed = monitor.monitor(MARCH + 4, life.settings, changed(off, "monitoring", max_psi=9))
    assert passed["failed"] == []
    monitor.require_passed(passed)


def test_drift_rests_after_a_training_and_a_limit_of_the_policys_decides(life):
    life.champion_of(MARCH)
    life.shift = 1.5
    life.measure(MARCH + 2)
    assert choose_model.choose(MARCH + 2, life.settings, life.policy)["mode"] == "apply"
    for months in (2, 0):
        policy = changed(life.policy, "retraining", drift_rest_months=months)
        assert choose_model.choose(MARCH + 2, life.settings, policy)["mode"] == "retrain"
        assert (
            choose_model.choose(MARCH + 2, life.settings, changed(policy, "monitoring", max_psi=9))["mode"] == "apply"
        )


def test_old_months_keep_their_grades_when_a_new_champion_is_promoted(life, sql):
    old = life.champion_of(MARCH)
    life.rate(MARCH)
    life.learns(labelled(life.policy, seed=9))
    new = life.rate(MARCH + 12)
    assert new.mode == "retrain"
    assert new.version != old
    assert champion(life, MARCH + 11) == old
    assert champion(life, MARCH + 12) == champion(life, MARCH + 40) == new.version
    grades = (
        "select customer_id, grade, score, model_version from rating.credit_grades where rating_month = '2025-03-01'"
    )
    before = sql(f"{grades} order by 1")
    again = life.rate(MARCH)
    assert (again.mode, again.why) == ("apply", "the month is published, its models stay")
    assert not again.publish["changed"]
    assert sql(f"{grades} order by 1") == before
    retired = model_registry.model(life.settings, old)
    assert (retired.status, retired.retired_from_month) == ("retired", MARCH + 12)
    # A month between that was never rated is the old model's too, though the new one's customers would fail its drift.
    assert life.rate(MARCH + 5).version == old


def test_a_worse_challenger_is_refused_and_the_champion_rates(life, sql):
    first = life.champion_of(MARCH)
    life.learns(worse(life.policy))
    again = life.rate(MARCH + 12)
    assert (again.mode, again.version) == ("retrain", first)
    assert champion(life, MARCH + 12) == first
    [(said,)] = sql("select model_decision from ops.publications where rating_month = '2026-03-01'")
    assert "is refused: " in said
    assert "auc_loss" in said
    assert f"{first} goes on" in said
    [challenger] = [m for m in model_registry.models(life.settings) if m.version != first]
    assert (challenger.status, challenger.has_passed) == ("challenger", False)
    # It was tried: not every month after it tries again.
    assert choose_model.choose(MARCH + 13, life.settings, life.policy)["mode"] == "apply"


def test_a_publication_that_is_refused_leaves_no_new_champion(life):
    first = life.champion_of(MARCH)
    life.rate(MARCH + 11)
    life.learns(labelled(life.policy, seed=9))
    strict = changed(life.policy, "publish", max_grade_share_change=0.0, min_rows_for_share_check=1)
    with pytest.raises(AuditError, match=r"more than policy publish\.max_grade_share_change"):
        life.rate(MARCH + 12, strict)
    assert champion(life, MARCH + 12) == first
    completed = life.rate(MARCH + 12)
    assert completed.publish["promoted"] == [completed.version]
    assert champion(life, MARCH + 12) == completed.version != first


def test_a_run_that_dies_between_registration_and_promotion_is_completed_by_the_next(life):
    first = life.champion_of(MARCH)
    life.learns(labelled(life.policy, seed=9))
    life.measure(MARCH + 12)
    _, died = life.model(MARCH + 12)  # registered and judged; no grades, no publication
    assert champion(life, MARCH + 12) == first
    completed = life.rate(MARCH + 12)
    assert completed.mode == "retrain"
    assert completed.version == died["models"]["residential"]
    assert champion(life, MARCH + 12) == completed.version


def test_a_challenger_left_behind_takes_over_with_the_next_month(life):
    first = life.champion_of(MARCH)
    life.learns(labelled(life.policy, seed=9))
    _, died = life.model(MARCH + 12)
    following = life.rate(MARCH + 13)
    assert following.version == died["models"]["residential"]
    assert champion(life, MARCH + 12) == first
    assert champion(life, MARCH + 13) == following.version


def test_a_dry_run_puts_nothing_in_force_and_is_not_counted_as_a_training(life):
    first = life.champion_of(MARCH)
    life.learns(labelled(life.policy, seed=9))
    tried = life.rate(MARCH + 12, dry_run=True)
    assert tried.version != first
    assert tried.publish["dry_run"]
    assert model_registry.model(life.settings, tried.version).is_trial
    assert champion(life, MARCH + 12) == first
    assert choose_model.choose(MARCH + 13, life.settings, life.policy)["mode"] == "retrain"
    assert choose_model.apply(MARCH + 13, life.settings, life.policy)["models"]["residential"] == first
    done = life.rate(MARCH + 12)
    assert done.version == tried.version
    assert not model_registry.model(life.settings, tried.version).is_trial


def test_a_person_promotes_where_the_policy_says_so(life):
    manual = changed(life.policy, "promotion", mode="manual")
    first = life.champion_of(MARCH)
    life.learns(labelled(life.policy, seed=9))
    assert life.rate(MARCH + 12, manual).version == first
    [challenger] = [m for m in model_registry.models(life.settings) if m.version != first]
    assert choose_model.apply(MARCH + 13, life.settings, manual)["models"]["residential"] == first
    promoted = model_registry.promote(life.settings, challenger.version, "A. Person")
    assert (promoted.effective_from, promoted.approved_by) == (MARCH + 13, "A. Person")
    assert champion(life, MARCH + 12) == first
    assert choose_model.apply(MARCH + 13, life.settings, manual)["models"]["residential"] == challenger.version


def test_with_no_model_at_all_the_first_one_serves_under_a_person_too(life):
    first = life.rate(MARCH, changed(life.policy, "promotion", mode="manual"))
    assert champion(life, MARCH) == first.version


def test_a_challenger_stands_beside_the_champion_for_its_shadow_months(life, sql):
    shadow = changed(life.policy, "promotion", shadow_months=2)
    first = life.champion_of(MARCH)
    life.learns(labelled(life.policy, seed=9))
    rated = [life.rate(MARCH + 12 + months, shadow) for months in range(3)]
    new = rated[-1].version
    assert [one.version for one in rated] == [first, first, new]
    assert champion(life, MARCH + 13) == first
    assert champion(life, MARCH + 14) == new
    summaries = [monitor.monitor(MARCH + 12 + months, life.settings, shadow) for months in range(3)]
    assert [summary["shadows"] for summary in summaries] == [[new]] * 2 + [[]]
    counted = sql(
        "select rating_month, sum(customers), bool_and(champion = %s), count(distinct challenger_grade) "
        "from rating.shadow_grades where challenger = %s group by 1 order by 1",
        first,
        new,
    )
    assert [(row[1], row[2]) for row in counted] == [(CUSTOMERS, True)] * 2
    assert min(row[3] for row in counted) > 2
    # The champion's side is what was published.
    assert sql(
        "select champion_grade, sum(customers) from rating.shadow_grades where rating_month = '2026-03-01' group by 1"
        " order by 1"
    ) == sql("select grade, count(*) from rating.credit_grades where rating_month = '2026-03-01' group by 1 order by 1")


def test_retraining_an_old_month_by_hand_leaves_the_later_ones_alone(life, sql):
    first = life.champion_of(MARCH)
    life.rate(MARCH + 2)
    # The grade itself may not: it rises by a notch a month at most from what is now published for the month before.
    grades = (
        "select customer_id, model_grade, score from rating.credit_grades where rating_month = '2025-05-01' order by 1"
    )
    before = sql(grades)
    life.learns(labelled(life.policy, seed=9))
    by_hand = life.rate(MARCH + 1, mode="retrain").version
    assert [champion(life, MARCH + months) for months in (0, 1, 2, 9)] == [first, by_hand, first, first]
    assert model_registry.model(life.settings, first).status == "champion"
    assert model_registry.model(life.settings, by_hand).retired_from_month == MARCH + 2
    assert "goes on" in model_registry.promotions(life.settings, first)[-1].reason
    assert life.rate(MARCH + 2).version == first
    assert sql(grades) == before


def test_a_model_whose_index_is_gone_is_replaced_by_itself(life):
    first = life.champion_of(MARCH)
    document = life.policy.model_dump(mode="json")
    gone = next(iter(model_registry.model(life.settings, first).parameters["transform"]["indices"]))
    document["indices"].pop(gone)
    document["expert"]["weights"].pop(gone, None)
    decision = choose_model.choose(MARCH + 1, life.settings, Policy.model_validate(document))
    assert decision["mode"] == "retrain"
    assert f"needs {gone}, which the policy's indices no longer have" in decision["why"]


def test_a_named_model_rates_and_is_not_promoted(life):
    first = life.champion_of(MARCH)
    life.learns(labelled(life.policy, seed=9))
    life.model(MARCH + 12, changed(life.policy, "promotion", mode="manual"))
    [other] = [m.version for m in model_registry.models(life.settings) if m.version != first]
    named = life.rate(MARCH + 12, model_version=other)
    assert (named.version, named.publish["changed"], named.why) == (other, True, f"asked to apply {other}")
    assert champion(life, MARCH + 12) == first


def test_a_call_that_makes_no_sense_is_refused(settings, policy):
    with pytest.raises(ModelError, match="mode 'guess' is unknown: choose auto, retrain, apply"):
        choose_model.choose(MARCH, settings, policy, mode="guess")
    with pytest.raises(ModelError, match="a model version can be applied, not retrained"):
        choose_model.choose(MARCH, settings, policy, mode="retrain", model_version="r1")
    with pytest.raises(ModelError, match="model nobody is not registered"):
        choose_model.apply(MARCH, settings, policy, model_version="nobody")
    with pytest.raises(ModelError, match=r"no residential model is in force for that month; run it with mode"):
        choose_model.apply(MARCH, settings, policy)
    with pytest.raises(ModelError, match="2025-03 is not published: there is no model in use to look at"):
        monitor.monitor(MARCH, settings, policy)
    with transaction(settings) as connection:
        assert publications.latest(connection) is None
