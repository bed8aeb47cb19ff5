"""The policy: what a file of a utility's own may change, and what is refused in which words."""

import ast

import pytest
import yaml

from pipeline.errors import ConfigError
from pipeline.month import RatingMonth
from pipeline.policy import DEFAULTS, PARTS, RATING_SECTIONS, Policy, layers
from pipeline.resources import ROOT


@pytest.fixture
def load(tmp_path):
    """Load the default policy with this text over it."""

    def run(text: str) -> Policy:
        path = tmp_path / "policy.yaml"
        path.write_text(text)
        return Policy.load(path)

    return run


REFUSED = {
    "timezone: Mars/Olympus": ("timezone", "'Mars/Olympus' is not a time zone, for example Asia/Shanghai"),
    "timezone: null": ("timezone", "valid string"),
    "surprise: 1": ("surprise", "is not known here"),
    "label: {horizn_months: 3}": ("label.horizn_months", "is not known here"),
    "label: {horizon_months: 0}": ("label.horizon_months", "greater than or equal to 1"),
    "label: {materiality_share: 1.5}": ("label.materiality_share", "less than or equal to 1"),
    "label: {days_past_due: {shops: 30}}": ("label.days_past_due", "residential, non_residential"),
    "label: {days_past_due: {residential: 0}}": ("label.days_past_due.residential", "greater than 0"),
    "extract: {history_months: 0}": ("extract.history_months", "greater than or equal to 1"),
    "extract: {history_months: null}": ("extract.history_months", "required"),
    "validation: {quarantine_limits: {bills: 2}}": ("validation.quarantine_limits.bills", "less than or equal to 1"),
    "validation: {max_amount: -1}": ("validation.max_amount", "greater than 0"),
    "families: {others: [residential]}": ("families", "residential"),
    "families: {residential: [residential, public]}": ("families", "public"),
    "indices: {arrears_ratio: {direction: up}}": ("indices.arrears_ratio.direction", "'+', '-' or 'none'"),
    "indices: {arrears_ratio: {bands: [2, 1, 0]}}": ("indices.arrears_ratio", "bands must go from good to bad"),
    "indices: {arrears_ratio: {bands: [0, 1]}}": ("indices.arrears_ratio.bands", ""),
    "indices: {arrears_ratio: {missing: mean}}": ("indices.arrears_ratio.missing", ""),
    "indices: {moon: {code: M1}}": ("indices.moon.group", "required"),
    "indices: {arrears_ratio: {meaning: ''}}": ("indices.arrears_ratio.meaning", "match pattern"),
    'indices: {arrears_ratio: {meaning: "two\\nlines"}}': ("indices.arrears_ratio.meaning", "match pattern"),
    "indices: {arrears_ratio: {reason: {zh: ''}}}": ("indices.arrears_ratio.reason.zh", "match pattern"),
    "indices: {arrears_ratio: {reason: null}}": ("indices.arrears_ratio", "needs a reason, in en and zh"),
    "indices: {arrears_ratio: {families: [shops]}}": ("indices.arrears_ratio.families", "shops is not among the"),
    "indices: {arrears_ratio: {families: []}}": ("indices.arrears_ratio.families", "at least 1 item"),
    "indices: {arrears_ratio: {window_months: 49}}": ("indices.arrears_ratio.window_months", "equal to 48"),
    "extract: {history_months: 36}": (
        "indices.decayed_delinquency.window_months",
        "behind extract.history_months (36)",
    ),
    "indices: {outage_sensitivity: {enters_score: true}}": ("indices.outage_sensitivity", "never enters the score"),
    "indices: {service_quality_sensitivity: {enters_score: true, direction: '-'}}": (
        "indices.service_quality_sensitivity",
        "group service never enters the score",
    ),
    "indices: {arrears_ratio: {direction: none}}": ("indices.arrears_ratio", "no direction cannot enter the score"),
    "expert: {weights: {outage_sensitivity: 0.1}}": ("expert.weights", "outage_sensitivity never enters the score"),
    "indices: {consumption_trend: {enters_score: false}}": ("expert.weights", "consumption_trend never enters"),
    "required_groups: [payment, astrology]": ("required_groups", "astrology is no group of an index"),
    "index_parameters: {social_rating_value: {AA: 0.5}}": (
        "index_parameters.social_rating_value",
        "a worse rating must not be worth more",
    ),
    "index_parameters: {power_factor_standard: {shops: 0.9}}": ("index_parameters.power_factor_standard.shops", "not"),
    "indices: {arrears_ratio: null}": ("expert.weights", "arrears_ratio"),
    "accounts: {settlement_tolerance: -1}": ("accounts.settlement_tolerance", "equal to 0"),
    "index_parameters: {delinquency_half_life_months: 0}": ("index_parameters.delinquency_half_life_months", "than 0"),
    "index_parameters: {delinquency_severity: {flood: 3}}": ("index_parameters.delinquency_severity.flood", "not"),
    "training: {holdout_share: 0.6, calibration_share: 0.4}": ("training", "holdout_share and calibration_share"),
    "training: {min_defaults: 1}": ("training.min_defaults", "greater than or equal to 5"),
    "training: {sampled_default_share: 0.9}": ("training.sampled_default_share", "less than or equal to 0.5"),
    "training: {binned: [moon]}": ("training", "moon is not among the indices"),
    "training: {sentinels: {moon: [96]}}": ("training", "moon is not among the indices"),
    "training: {shrinkage: 2}": ("training.shrinkage", ""),
    "training: {max_index_auc: 0.4}": ("training.max_index_auc", "greater than 0.5"),
    "label: {horizon_months: 49}": ("", "label.horizon_months and a year must fit in extract.history_months"),
    "retraining: {in_months: [13]}": ("retraining.in_months.0", "less than or equal to 12"),
    "promotion: {mode: never}": ("promotion.mode", "'automatic' or 'manual'"),
    "promotion: {gates: {min_auc: 2}}": ("promotion.gates.min_auc", "less than or equal to 1"),
    "promotion: {gates: {min_ginni: 0.2}}": ("promotion.gates.min_ginni", "is not known here"),
    "fairness: {favourable_grades: 6}": ("", "fairness.favourable_grades: there have to be grades that are not"),
    "monitoring: {max_psi: -1}": ("monitoring.max_psi", "greater than or equal to 0"),
    "scorecard: {odds: 0}": ("scorecard.odds", "greater than 0"),
    "grades: {names: [A]}": ("grades", "names must be two or more different grades"),
    "grades: {names: [A, A, B, C, D, E]}": ("grades", "names must be two or more different grades"),
    "grades: {cutoffs: [0.1, 0.2]}": ("grades", "cutoffs must rise and be one fewer than the names"),
    "grades: {cutoffs: [0.1, 0.05, 0.2, 0.3, 0.4]}": ("grades", "cutoffs must rise"),
    "grades: {cutoffs: [0, 0.1, 0.2, 0.3, 0.4]}": ("grades.cutoffs.0", "greater than 0"),
    "expert: {weights: {arrears_ratio: -1}}": ("expert.weights.arrears_ratio", "greater than or equal to 0"),
    "expert: {weights: {moon: 1}}": ("expert.weights", "moon is not among the indices"),
    "expert: {weights: null}": ("expert.weights", "required"),
    "index_parameters: {delinquency_severity: {write_off: -1}}": (
        "index_parameters.delinquency_severity.write_off",
        "greater than or equal to 0",
    ),
    "indices: {arrears_ratio: {code: P1}}": ("indices", "P1 is the code of two indices"),
    "indices: {arrears_ratio: {code: p-4}}": ("indices.arrears_ratio.code", "match"),
    "indices: {arrears_ratio: {reason: late}}": ("indices.arrears_ratio.reason", "valid dictionary"),
    "sensitivity: {shock: 0}": ("sensitivity.shock", "a shock of 0 changes nothing"),
    "sensitivity: {curve: [-1]}": ("sensitivity.curve.0", "greater than -1"),
    "sensitivity: {factors: {market: [F, P]}}": ("sensitivity.factors", "P stands in two factors"),
    "sensitivity: {factors: {weather: [W]}}": ("sensitivity.factors.weather", "'production', 'management'"),
    "groups: {value: {high value: {moon: 1}}}": (
        "groups.value.high value",
        "moon is not among avg_monthly_kwh, revenue",
    ),
    "groups: {demand: {quiet: {revenue: 1}}}": ("groups.demand.quiet", "revenue is not among outages"),
    "groups: {value: null}": ("groups.value", "required"),
    "groups: {value: {high value: null, medium value: null, low value: null}}": ("groups.value", "at least 1"),
    "groups: {sample_rows: 10}": ("groups.sample_rows", "greater than or equal to 1000"),
    "life_cycle: {growth: -0.1}": ("life_cycle.growth", "greater than or equal to 0"),
    "life_cycle: {decline: 0.1}": ("life_cycle.decline", "less than or equal to 0"),
    "grade_rules: {vetoes: {theft: {ceiling: E}}}": (
        "grade_rules.vetoes.theft.ceiling",
        "E is not among grades.names AAA, AA",
    ),
    "grade_rules: {new_customer: {ceiling: best}}": (
        "grade_rules.new_customer.ceiling",
        "best is not among grades.names",
    ),
    "grade_rules: {promotion: {max_notches: 0}}": ("grade_rules.promotion.max_notches", "greater than or equal to 1"),
    "grade_rules: {promotion: {buffer: 1}}": ("grade_rules.promotion.buffer", "less than 1"),
    "grade_rules: {vetoes: {theft: {months: 72}}}": ("grade_rules.vetoes", "theft looks back 72 months, the lake 60"),
    "grade_rules: {vetoes: {murder: {months: 60}}}": ("grade_rules.vetoes.murder", "is not known here"),
    "retention: {repeatable_months: 0}": ("retention.repeatable_months", "greater than or equal to 1"),
    "publish: {max_grade_share_change: 25}": ("publish.max_grade_share_change", "less than or equal to 1"),
    "actions: {types: {visit: {channels: [pigeon]}}}": (
        "actions.types.visit.channels.0",
        "'queue', 'webhook' or 'email'",
    ),
    "actions: {types: {visit: {channels: []}}}": ("actions.types.visit.channels", "at least 1 item"),
    "actions: {types: {visit: {channels: [queue, webhook]}}}": ("actions.types.visit", "the queue takes everything"),
    "actions: {types: {visit: {channels: [webhook, webhook]}}}": ("actions.types.visit", "channels names one twice"),
    "actions: {types: {visit: {channels: [email]}}}": ("actions.types.visit", "mail needs `to`"),
    "actions: {types: {visit: {channels: [email], to: [desk]}}}": ("actions.types.visit.to", ""),
    "actions: {types: {visit: {template: ../../etc/passwd}}}": ("actions.types.visit.template", "match pattern"),
    "actions: {types: {visit: {priority: 10}}}": ("actions.types.visit.priority", "less than or equal to 9"),
    "actions: {types: {disconnection_proposal: {approval: automatic}}}": ("actions", "a person has to approve it"),
    "measures: {visit: {grades: [E]}}": ("", "measures.visit.grades E is not among AAA, AA, A, B, C, D"),
    "measures: {account_manager: {value_group: rich}}": ("", "measures.account_manager: value group rich is not among"),
    "measures: {protection: {blocks: [visit, late_fee]}}": (
        "measures.protection",
        "blocks must name collection, disconnection_proposal: nobody who is protected is punished",
    ),
    "measures: {protection: {blocks: [late_fee, collection, disconnection_proposal, fine]}}": (
        "measures",
        "protection.blocks: there is no measure fine",
    ),
    "measures: {visits: {grades: [C]}}": ("measures", "visits: there is no query sql/lake/measures/visits.sql for it"),
    "measures: {visit: {grade: [C]}}": ("measures.visit.grade", "is not known here"),
    "measures: {service_levels: {managed: best}}": ("measures.service_levels", "best is not among the levels"),
    "measures: {service_levels: {by_grade: {E: standard}}}": ("", "measures.service_levels.by_grade E is not among"),
    "measures: {outage_notices: {recipients: nobody}}": ("measures.outage_notices.recipients", "'all' or 'sensitive'"),
    "measures: {outage_notices: null}": ("measures.outage_notices", "is required"),
    "actions: {language: fr}": ("actions.language", "'en' or 'zh'"),
    "actions: {sender: {zh: null}}": ("actions.sender.zh", "valid string"),
    "actions: {channels: {webhook: {attempts: 0}}}": (
        "actions.channels.webhook.attempts",
        "greater than or equal to 1",
    ),
    "rebate: {campaigns: [{name: a, first_month: 2026-01, share: 0, rate: 0, cap: 0, budget: -1}]}": (
        "rebate.campaigns.0.budget",
        "greater than or equal to 0",
    ),
    "rebate: {campaigns: [{name: a, first_month: 2026-13, share: 0, rate: 0, cap: 0}]}": (
        "rebate.campaigns.0.first_month",
        "'2026-13' is not a rating month",
    ),
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal_is_one_line_that_names_the_file_the_key_and_the_fault(load, text):
    key, fault = REFUSED[text]
    with pytest.raises(ConfigError) as raised:
        load(text)
    line = str(raised.value)
    assert f"policy.yaml: {key}" in line
    assert fault in line
    assert "\n" not in line


def test_two_campaigns_of_one_name_are_refused(load):
    terms = "first_month: '2026-01', share: 0.5, rate: 0.1, cap: 5"
    with pytest.raises(ConfigError, match=r"rebate.campaigns: .*two campaigns have the same name"):
        load(f"rebate: {{campaigns: [{{name: spring, {terms}}}, {{name: spring, {terms}}}]}}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("{not: [yaml", "is not YAML"), ("- a\n- list", "must be a mapping of sections"), ("", "must be a mapping")],
)
def test_a_file_that_is_no_policy_is_one_clear_line(load, text, complaint):
    with pytest.raises(ConfigError, match=complaint) as raised:
        load(text)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_names_the_variable(tmp_path):
    with pytest.raises(ConfigError, match=r"none.yaml cannot be read: No such file.*; check GRIDGRADE_POLICY"):
        Policy.load(tmp_path / "none.yaml")


def test_every_section_has_its_value_in_one_file_of_the_defaults():
    assert {path.stem for path in DEFAULTS.iterdir()} == set(PARTS)
    sections = [section for _, document in layers() for section in document]
    assert sorted(sections) == sorted(Policy.model_fields)


def test_a_file_names_only_what_differs(load, policy):
    own = load("label: {days_past_due: {residential: 45}}\ngrades: {cutoffs: [0.01, 0.02, 0.04, 0.1, 0.3]}")
    assert own.label.days_past_due == {"residential": 45, "non_residential": 90}
    assert own.label.horizon_months == policy.label.horizon_months
    assert own.grades.cutoffs == (0.01, 0.02, 0.04, 0.1, 0.3)
    assert own.grades.names == policy.grades.names
    assert own.model_copy(update={"label": policy.label, "grades": policy.grades}) == policy


def test_null_takes_away_an_index_a_weight_and_a_severity(load, policy):
    own = load(
        "indices: {arrears_ratio: null}\n"
        "expert: {weights: {arrears_ratio: null}}\n"
        "index_parameters: {delinquency_severity: {overdue_notice: null}}"
    )
    assert set(policy.indices) - set(own.indices) == {"arrears_ratio"}
    assert set(policy.expert.weights) - set(own.expert.weights) == {"arrears_ratio"}
    assert own.index_parameters.delinquency_severity.overdue_notice == 0


def test_the_hash_is_of_what_is_in_force_and_not_of_how_it_is_written(load, policy):
    assert load("{}").sha256 == policy.sha256
    reordered = yaml.safe_dump({key: policy.model_dump(mode="json")[key] for key in ("training", "label")})
    assert load(reordered).sha256 == policy.sha256
    assert load("label: {materiality_floor: 10.0}").sha256 == policy.sha256
    assert load("label: {materiality_floor: 10.5}").sha256 != policy.sha256
    assert load("training: {seed: 1}").sha256 != policy.sha256


def test_customers_are_grouped_by_the_indices_the_policy_has(load, policy):
    own = load(
        "indices: {arrears_ratio: null, avg_monthly_kwh: null}\n"
        "expert: {weights: {arrears_ratio: null}}\n"
        "groups: {demand: {loud: {contacts: 2}, quiet: null}}"
    )
    assert policy.group_features["value"] == {"avg_monthly_kwh": 1, "revenue": 1}
    assert own.group_features["value"] == {"revenue": 1}
    assert policy.group_features["behaviour"].keys() - own.group_features["behaviour"].keys() == {"arrears_ratio"}
    assert own.group_features["behaviour"]["max_days_past_due"] == -1
    assert set(own.groups.demand) == {"often without power", "often in touch", "loud"}


def test_a_family_is_scored_by_its_own_indices_and_never_by_those_of_service(policy):
    firms, homes = policy.scored("non_residential"), policy.scored("residential")
    assert set(firms) - set(homes) == {
        n for n, index in policy.indices.items() if index.group in ("finance", "equipment")
    }
    assert set(homes) < set(firms) == set(policy.scored_in_some_family)
    assert set(policy.indices) - set(firms) == {"service_quality_sensitivity", "outage_sensitivity"}
    assert set(policy.expert_weights("residential")) == set(policy.expert.weights) & set(homes)


def test_every_family_needs_something_on_the_expert_scorecard(load, policy):
    homes = ", ".join(f"{name}: null" for name in policy.expert_weights("residential"))
    with pytest.raises(ConfigError, match=r"expert.weights: no index of the family residential has a weight"):
        load(f"expert: {{weights: {{{homes}}}}}")


def test_a_segment_belongs_to_one_family_or_none(policy):
    assert policy.family_of("residential") == "residential"
    assert policy.family_of("public") == "non_residential"
    assert policy.family_of("lunar") is None


def test_a_table_without_a_limit_of_its_own_has_the_general_one(load):
    validation = load("validation: {quarantine_limits: {payments: 0.05}}").validation
    assert (validation.limit("payments"), validation.limit("bills")) == (0.05, 0.02)


def test_a_campaigns_months_are_months(load):
    [campaign] = load(
        "rebate: {campaigns: [{name: a, first_month: '2026-01', last_month: '2026-03', share: 1, rate: 0, cap: 0}]}"
    ).rebate.campaigns
    assert RatingMonth.parse(campaign.last_month) - RatingMonth.parse(campaign.first_month) == 2


EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*policy*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_policies_of_the_documentation_load(path):
    assert Policy.load(path).sha256 != Policy.load().sha256


AFTER_THE_RATING = [
    "actions: {channels: {email: {timeout_seconds: 31}}}",
    "actions: {types: {visit: {template: inspection, channels: [webhook, queue]}}, language: zh}",
    "measures: {visit: {overdue_days: 20}}",
    "rebate: {campaigns: []}",
    "retention: {repeatable_months: 12}",
    "schedule: 0 0 2 * *",
    "monitoring: {max_psi: 0.3}",
    "publish: {max_moved_share: 0.2}",
    "validation: {quarantine_limits: {payments: 0.05}}",
    "indices: {arrears_ratio: {meaning: what is owed, reason: {en: Owes}}}",
    "# a comment\n{}",
]
OF_THE_RATING = [
    "timezone: Asia/Shanghai",
    "validation: {max_amount: 5}",
    "accounts: {settlement_tolerance: 1}",
    "indices: {arrears_ratio: {bands: [0, 0.4, 1.5]}}",
    "indices: {arrears_ratio: {code: P9}}",
    "index_parameters: {min_bills_due: 4}",
    "required_groups: [payment]",
    "label: {horizon_months: 7}",
    "training: {seed: 1}",
    "grades: {cutoffs: [0.01, 0.02, 0.04, 0.1, 0.3]}",
    "grade_rules: {unpaid_balance: null}",
    "expert: {weights: {arrears_ratio: 0.5}}",
    "sensitivity: {shock: 0.2}",
    "groups: {seed: 2}",
    "life_cycle: {growth: 0.2}",
]


@pytest.mark.parametrize("text", AFTER_THE_RATING)
def test_what_is_done_with_ratings_leaves_them_up_to_date(load, policy, text):
    assert load(text).rating_sha256 == policy.rating_sha256


def test_whatever_a_rating_follows_from_has_a_hash_of_its_own(load, policy):
    found = {load(text).rating_sha256 for text in OF_THE_RATING} | {policy.rating_sha256}
    assert len(found) == len(OF_THE_RATING) + 1


@pytest.mark.parametrize("room", ["lake", "ingest", "customers", "grading"])
def test_no_section_that_a_rating_reads_is_left_out_of_its_hash(room):
    read = set()
    for path in (ROOT / "pipeline" / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in Policy.model_fields:
                owner = node.value
                name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
                read |= {node.attr} if name.endswith("policy") else set()
    assert read
    assert read <= RATING_SECTIONS


def test_a_policy_that_is_not_utf_8_is_one_line(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_bytes("timezone: Asia/Urumqi # 乌鲁木齐\n".encode("gb18030"))
    with pytest.raises(ConfigError, match=rf"^policy {path} is not UTF-8: save it as UTF-8$"):
        Policy.load(path)
