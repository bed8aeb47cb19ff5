-- The warehouse of a fresh installation: rating.* (what was rated), ops.* (how, and what was done about it), report.* (views).
-- Runs once, as the role that owns the database, in one transaction. Reads nothing.

create schema rating;
create schema report;

comment on schema rating is 'Published ratings, one revision of a month a partition.';
comment on schema ops is 'Publications, data quality, the outbox of service actions and its ledgers.';
comment on schema report is 'Views: all that a report needs, and all that readers may see.';

-- rating.credit_grades: one row a rated customer and month ----------------------------------------------------------

create table rating.credit_grades (
    rating_month date not null,
    customer_id text not null,
    segment text not null,
    region text,
    score double precision not null,
    default_probability double precision not null,
    grade text not null,
    previous_grade text,
    notch_change integer,
    rating_basis text not null
        check (rating_basis in ('model', 'expert', 'veto', 'override', 'default', 'thin_file', 'new')),
    reason_1 text,
    reason_2 text,
    reason_3 text,
    reason_4 text,
    model_version text not null,
    publication_id uuid not null,
    primary key (rating_month, customer_id)
) partition by range (rating_month);

comment on table rating.credit_grades is 'One row a rated customer and month: the grade and what led to it.';
comment on column rating.credit_grades.rating_month is 'First day of the rating month; the cut-off is the first instant of the next.';
comment on column rating.credit_grades.customer_id is 'Customer, as the billing system names it.';
comment on column rating.credit_grades.segment is 'residential, commercial, industrial, agricultural or public.';
comment on column rating.credit_grades.region is 'Region of the customer at the cut-off.';
comment on column rating.credit_grades.score is 'Points; more is better.';
comment on column rating.credit_grades.default_probability is 'Calibrated probability of default within the policy''s horizon, 0 to 1.';
comment on column rating.credit_grades.grade is 'Grade on the policy''s scale.';
comment on column rating.credit_grades.previous_grade is 'Grade published for the customer the month before; null where there was none.';
comment on column rating.credit_grades.notch_change is 'Grades up (positive) or down (negative) against the previous one.';
comment on column rating.credit_grades.rating_basis is 'What set the grade: the model, the expert scorecard, or a rule after it.';
comment on column rating.credit_grades.reason_1 is 'What weighed most against the customer.';
comment on column rating.credit_grades.reason_2 is 'What came second.';
comment on column rating.credit_grades.reason_3 is 'What came third.';
comment on column rating.credit_grades.reason_4 is 'What came fourth.';
comment on column rating.credit_grades.model_version is 'Version in rating.models that gave score and probability.';
comment on column rating.credit_grades.publication_id is 'Revision of the month in ops.publications.';

-- rating.credit_indices: one row a rated customer and month, wide; publishing adds the columns of a new index ----------

create table rating.credit_indices (
    rating_month date not null,
    customer_id text not null,
    is_thin_file boolean not null,
    publication_id uuid not null,
    primary key (rating_month, customer_id)
) partition by range (rating_month);

comment on table rating.credit_indices is 'One row a rated customer and month: its credit indices and the band of each.';
comment on column rating.credit_indices.rating_month is 'First day of the rating month.';
comment on column rating.credit_indices.customer_id is 'Customer, as the billing system names it.';
comment on column rating.credit_indices.is_thin_file is 'Too little is known of the customer for a required group of indices.';
comment on column rating.credit_indices.publication_id is 'Revision of the month in ops.publications.';

do $$
declare
    name text;
    meaning text;
begin
    for name, meaning in
        values
            ('on_time_payment_rate', 'P1: bills fully paid by their due date / bills due, 12 months'),
            ('amount_weighted_days_late', 'P2: days late weighted by amount, 12 months'),
            ('max_days_past_due', 'P3: most days past due reached, 12 months'),
            ('arrears_ratio', 'P4: overdue balance / average monthly bill'),
            ('arrears_recovery_rate', 'P5: paid on overdue / became overdue, 24 months'),
            ('decayed_delinquency', 'P6: severity of collection events, halved every half-life, 48 months'),
            ('avg_monthly_kwh', 'C1: ln(1 + mean monthly kWh), 12 months'),
            ('consumption_trend', 'C2: last 3 months against the same months a year before, -1 to 3'),
            ('consumption_volatility', 'C3: standard deviation / mean of monthly kWh, 12 months'),
            ('asset_liability_ratio', 'F1: liabilities / assets, latest statement'),
            ('current_ratio', 'F2: current assets / current liabilities, at most 5'),
            ('return_on_net_assets', 'F3: net profit / average net assets'),
            ('loan_repayment_on_schedule_rate', 'F4: repaid on schedule / due, 24 months'),
            ('power_factor_shortfall', 'E1: mean shortfall of the power factor below its standard, 12 months'),
            ('calibration_on_schedule_rate', 'E2: meter calibrations on time / due, 24 months'),
            ('grid_accident_impact', 'E3: ln(1 + severity * customer-minutes lost), caused by the customer, 36 months'),
            ('violation_severity', 'V1: weight of violations, halved every half-life, 24 months'),
            ('social_credit_rating', 'S1: social credit rating in force, D 0 to AAA 1'),
            ('service_quality_sensitivity', 'Q1: change in satisfaction on change in service quality; never in the score'),
            ('outage_sensitivity', 'Q2: contacts within 72 hours of an outage / outages, 24 months; never in the score')
    loop
        execute format('alter table rating.credit_indices add column %I double precision', name);
        execute format('alter table rating.credit_indices add column %I text', name || '_band');
        execute format('comment on column rating.credit_indices.%I is %L', name, meaning || '.');
        execute format('comment on column rating.credit_indices.%I is %L', name || '_band', 'Band of ' || name || ', A best to D.');
    end loop;
end
$$;

-- rating.customer_groups: one row a customer and month -----------------------------------------------------------------

create table rating.customer_groups (
    rating_month date not null,
    customer_id text not null,
    segment text not null,
    value_group text,
    demand_group text,
    behaviour_group text,
    group_name text not null,
    life_cycle_stage text check (life_cycle_stage in ('new', 'growth', 'mature', 'decline', 'closed')),
    service_sensitivity double precision,
    outage_sensitivity double precision,
    publication_id uuid not null,
    primary key (rating_month, customer_id)
) partition by range (rating_month);

comment on table rating.customer_groups is 'One row a customer and month: the groups it belongs to.';
comment on column rating.customer_groups.rating_month is 'First day of the rating month.';
comment on column rating.customer_groups.customer_id is 'Customer, as the billing system names it.';
comment on column rating.customer_groups.segment is 'Segment of the customer at the cut-off.';
comment on column rating.customer_groups.value_group is 'Group by consumption and revenue.';
comment on column rating.customer_groups.demand_group is 'Group by what is asked of the supply.';
comment on column rating.customer_groups.behaviour_group is 'Group by payment behaviour.';
comment on column rating.customer_groups.group_name is 'Name of the customer group, stable from month to month.';
comment on column rating.customer_groups.life_cycle_stage is 'new, growth, mature, decline or closed.';
comment on column rating.customer_groups.service_sensitivity is 'How much service quality moves satisfaction.';
comment on column rating.customer_groups.outage_sensitivity is 'Share of outages that made the customer call.';
comment on column rating.customer_groups.publication_id is 'Revision of the month in ops.publications.';

-- rating.risk_sensitivity: one row a month, segment, risk factor and shock -----------------------------------------------

create table rating.risk_sensitivity (
    rating_month date not null,
    segment text not null,
    risk_factor text not null check (risk_factor in ('production', 'management', 'technical', 'market')),
    shock double precision not null,
    evaluation_value double precision not null,
    score_after_change double precision not null,
    absolute_change double precision not null,
    relative_change double precision,
    elasticity double precision,
    grade_changes bigint not null,
    publication_id uuid not null,
    primary key (rating_month, segment, risk_factor, shock)
) partition by range (rating_month);

comment on table rating.risk_sensitivity is 'One row a month, segment, risk factor and shock: what the shock does to the ratings.';
comment on column rating.risk_sensitivity.rating_month is 'First day of the rating month.';
comment on column rating.risk_sensitivity.segment is 'Segment the shock was applied to.';
comment on column rating.risk_sensitivity.risk_factor is 'production, management, technical or market.';
comment on column rating.risk_sensitivity.shock is 'Relative change of each index of the factor.';
comment on column rating.risk_sensitivity.evaluation_value is 'Evaluation value before the shock.';
comment on column rating.risk_sensitivity.score_after_change is 'Evaluation value after it.';
comment on column rating.risk_sensitivity.absolute_change is 'After less before.';
comment on column rating.risk_sensitivity.relative_change is 'Absolute change / before.';
comment on column rating.risk_sensitivity.elasticity is 'Relative change / shock.';
comment on column rating.risk_sensitivity.grade_changes is 'Customers whose grade the shock changes.';
comment on column rating.risk_sensitivity.publication_id is 'Revision of the month in ops.publications.';

-- rating.models: one row a model version -----------------------------------------------------------------------------

create table rating.models (
    version text primary key,
    segment text not null,
    status text not null default 'challenger' check (status in ('challenger', 'champion', 'retired')),
    effective_from_month date not null,
    parameters json not null,
    parameters_sha256 text not null,
    metrics json not null,
    input_sha256 text not null,
    policy_sha256 text not null,
    registered_at timestamptz not null default now(),
    approved_by text,
    approved_at timestamptz,
    retired_at timestamptz,
    check ((status = 'challenger') = (approved_at is null))
);

create unique index one_champion_a_segment on rating.models (segment) where status = 'champion';

comment on table rating.models is 'One row a model version. A version is never changed, only promoted and retired.';
comment on column rating.models.version is 'Name of the version.';
comment on column rating.models.segment is 'Segment family the model rates, a key of the policy''s families.';
comment on column rating.models.status is 'challenger until approved, champion while in use, retired after.';
comment on column rating.models.effective_from_month is 'First rating month the model is in force for once approved.';
comment on column rating.models.parameters is 'The whole model. json and not jsonb: the text stays as written, so every float comes back to the bit.';
comment on column rating.models.parameters_sha256 is 'sha256 of the parameters'' text.';
comment on column rating.models.metrics is 'What the model was measured at when it was trained.';
comment on column rating.models.input_sha256 is 'Hash of the data it was trained on.';
comment on column rating.models.policy_sha256 is 'Hash of the policy it was trained under.';
comment on column rating.models.registered_at is 'When it was first registered.';
comment on column rating.models.approved_by is 'Who promoted it: a person, or the policy.';
comment on column rating.models.approved_at is 'When it was last promoted.';
comment on column rating.models.retired_at is 'When another took its place.';

create table rating.model_coefficients (
    version text not null references rating.models,
    term text not null,
    coefficient double precision not null,
    primary key (version, term)
);

comment on table rating.model_coefficients is 'One row a model version and term of its score.';
comment on column rating.model_coefficients.version is 'Model version.';
comment on column rating.model_coefficients.term is 'Index, flag or intercept.';
comment on column rating.model_coefficients.coefficient is 'Weight of the term.';

-- ops.publications: one row a revision of a month -----------------------------------------------------------------------

create table ops.publications (
    publication_id uuid primary key,
    rating_month date not null check (extract(day from rating_month) = 1),
    revision integer not null check (revision >= 1),
    basis text not null check (basis in ('as_known_then', 'as_known_now')),
    rows bigint not null,
    content_sha256 text not null,
    input_sha256 text not null,
    policy_sha256 text not null,
    model_sha256 text not null,
    model_versions json not null,
    run_id text not null,
    run_kind text not null check (run_kind in ('scheduled', 'manual', 'backfill', 'command')),
    is_latest_month boolean not null,
    published_at timestamptz not null default now(),
    superseded_at timestamptz,
    stale_since timestamptz,
    unique (rating_month, revision)
);

create unique index one_current_publication_a_month on ops.publications (rating_month) where superseded_at is null;

comment on table ops.publications is 'One row a revision of a month that readers saw or see.';
comment on column ops.publications.publication_id is 'Id the rows of the revision carry.';
comment on column ops.publications.rating_month is 'First day of the rating month.';
comment on column ops.publications.revision is '1, 2, ... The rows of a replaced one stay in rating.<table>_<year>_<month>_r<revision>.';
comment on column ops.publications.basis is 'as_known_then: facts dated and recorded before the cut-off; as_known_now: whenever recorded.';
comment on column ops.publications.rows is 'Customers rated.';
comment on column ops.publications.content_sha256 is 'Hash of the published rows, whatever their order.';
comment on column ops.publications.input_sha256 is 'Hash of the lake partitions the rating read.';
comment on column ops.publications.policy_sha256 is 'Hash of the policy in force.';
comment on column ops.publications.model_sha256 is 'Hash of the models'' parameters.';
comment on column ops.publications.model_versions is 'Model version by segment family.';
comment on column ops.publications.run_id is 'The run that published, as the scheduler or the command line names it.';
comment on column ops.publications.run_kind is 'scheduled, manual, backfill or command.';
comment on column ops.publications.is_latest_month is 'No later month was published at that time.';
comment on column ops.publications.published_at is 'When readers began to see it.';
comment on column ops.publications.superseded_at is 'When a later revision took its place; null while it is current.';
comment on column ops.publications.stale_since is 'When something it was built on changed; null while nothing has.';

-- ops.validation_results, ops.quarantine: data quality -------------------------------------------------------------------

create table ops.validation_results (
    result_id bigint generated always as identity primary key,
    rating_month date not null,
    basis text not null,
    table_name text not null,
    recorded_month date not null,
    expectation text not null,
    column_name text,
    severity text not null check (severity in ('warn', 'fail')),
    success boolean not null,
    rows_checked bigint not null,
    rows_failed bigint not null,
    detail jsonb not null default '{}',
    checked_at timestamptz not null default now()
);

create index validation_results_by_partition on ops.validation_results (table_name, recorded_month);

comment on table ops.validation_results is 'One row an expectation on a lake partition: the latest check of that partition.';
comment on column ops.validation_results.result_id is 'Running number.';
comment on column ops.validation_results.rating_month is 'Month of the run that checked.';
comment on column ops.validation_results.basis is 'Basis of that run.';
comment on column ops.validation_results.table_name is 'Source table.';
comment on column ops.validation_results.recorded_month is 'Partition: recorded month, or snapshot month of customers.';
comment on column ops.validation_results.expectation is 'What was expected.';
comment on column ops.validation_results.column_name is 'Of which column; null for the whole table.';
comment on column ops.validation_results.severity is 'fail: a row that fails goes to quarantine; warn: it stays.';
comment on column ops.validation_results.success is 'Whether every row met it.';
comment on column ops.validation_results.rows_checked is 'Rows looked at.';
comment on column ops.validation_results.rows_failed is 'Rows that failed.';
comment on column ops.validation_results.detail is 'More about the failure, such as examples.';
comment on column ops.validation_results.checked_at is 'When.';

create table ops.quarantine (
    table_name text not null,
    recorded_month date not null,
    row_number bigint not null,
    rating_month date not null,
    row_key text,
    failed text[] not null,
    lake_path text not null,
    quarantined_at timestamptz not null default now(),
    primary key (table_name, recorded_month, row_number)
);

comment on table ops.quarantine is 'One row a record that is left out of the rating until it is mended or let pass.';
comment on column ops.quarantine.table_name is 'Source table.';
comment on column ops.quarantine.recorded_month is 'Partition: recorded month, or snapshot month of customers.';
comment on column ops.quarantine.row_number is 'Position in the partition''s file, from 0.';
comment on column ops.quarantine.rating_month is 'Month of the run that first left it out.';
comment on column ops.quarantine.row_key is 'Key of the record; not always unique or present, which may be what is wrong with it.';
comment on column ops.quarantine.failed is 'Expectations it failed.';
comment on column ops.quarantine.lake_path is 'Where the whole record is.';
comment on column ops.quarantine.quarantined_at is 'When it was first left out.';

-- ops.service_actions and its ledgers ---------------------------------------------------------------------------------

create table ops.service_actions (
    action_id uuid primary key,
    rating_month date not null,
    customer_id text not null,
    action_type text not null,
    reason text not null,
    payload jsonb not null default '{}',
    status text not null default 'proposed' check (
        status in ('proposed', 'approved', 'dispatched', 'acknowledged', 'blocked', 'suppressed', 'failed')
    ),
    blocked_by text,
    attempts integer not null default 0 check (attempts >= 0),
    publication_id uuid references ops.publications,
    proposed_at timestamptz not null default now(),
    approved_by text,
    approved_at timestamptz,
    dispatched_at timestamptz,
    acknowledged_at timestamptz,
    updated_at timestamptz not null default now(),
    check (status <> 'blocked' or blocked_by is not null)
);

create index service_actions_by_month on ops.service_actions (rating_month, status);
create index service_actions_by_customer on ops.service_actions (customer_id);

comment on table ops.service_actions is 'The outbox: one row an action, decided once and dispatched at most once.';
comment on column ops.service_actions.action_id is 'Made from what the action is for, so that deciding twice makes it once.';
comment on column ops.service_actions.rating_month is 'First day of the rating month it follows from.';
comment on column ops.service_actions.customer_id is 'Customer it concerns.';
comment on column ops.service_actions.action_type is 'What is to be done.';
comment on column ops.service_actions.reason is 'Why, in words.';
comment on column ops.service_actions.payload is 'What the channel needs to do it.';
comment on column ops.service_actions.status is 'proposed, approved, dispatched, acknowledged, blocked, suppressed (never to be sent) or failed.';
comment on column ops.service_actions.blocked_by is 'Which protection blocks it.';
comment on column ops.service_actions.attempts is 'How often it was sent.';
comment on column ops.service_actions.publication_id is 'Publication it was decided from.';
comment on column ops.service_actions.proposed_at is 'When it was decided.';
comment on column ops.service_actions.approved_by is 'Who let it go: a person, or the policy.';
comment on column ops.service_actions.approved_at is 'When.';
comment on column ops.service_actions.dispatched_at is 'When the channel took it.';
comment on column ops.service_actions.acknowledged_at is 'When the channel said it was done.';
comment on column ops.service_actions.updated_at is 'When the row last changed.';

create table ops.arrears_rebates (
    campaign text not null,
    customer_id text not null,
    rating_month date not null,
    opening_arrears numeric(18, 2) not null check (opening_arrears >= 0),
    repaid numeric(18, 2) not null check (repaid >= 0),
    rebate numeric(18, 2) not null check (rebate >= 0),
    clawback numeric(18, 2) not null default 0 check (clawback between 0 and rebate),
    action_id uuid references ops.service_actions,
    computed_at timestamptz not null default now(),
    primary key (campaign, customer_id)
);

comment on table ops.arrears_rebates is 'One row a campaign and customer: what was repaid and what comes back for it.';
comment on column ops.arrears_rebates.campaign is 'Campaign.';
comment on column ops.arrears_rebates.customer_id is 'Customer.';
comment on column ops.arrears_rebates.rating_month is 'Month of the run that computed it.';
comment on column ops.arrears_rebates.opening_arrears is 'Overdue when the campaign began.';
comment on column ops.arrears_rebates.repaid is 'Of that, repaid within the campaign, oldest bill first.';
comment on column ops.arrears_rebates.rebate is 'Credit for it.';
comment on column ops.arrears_rebates.clawback is 'Of the rebate, taken back because a payment was reversed.';
comment on column ops.arrears_rebates.action_id is 'The action that grants it.';
comment on column ops.arrears_rebates.computed_at is 'When it was last computed.';

create table ops.rating_overrides (
    override_id uuid primary key default gen_random_uuid(),
    customer_id text not null,
    kind text not null check (kind in ('override', 'veto')),
    grade text not null,
    reason text not null,
    created_by text not null,
    valid_from date not null,
    valid_until date check (valid_until >= valid_from),
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);

create index rating_overrides_by_customer on ops.rating_overrides (customer_id);

comment on table ops.rating_overrides is 'One row a grade that a person set by hand, for a time.';
comment on column ops.rating_overrides.override_id is 'Id.';
comment on column ops.rating_overrides.customer_id is 'Customer.';
comment on column ops.rating_overrides.kind is 'override sets the grade, veto bars a better one.';
comment on column ops.rating_overrides.grade is 'The grade set, or the best one allowed.';
comment on column ops.rating_overrides.reason is 'Why.';
comment on column ops.rating_overrides.created_by is 'Who.';
comment on column ops.rating_overrides.valid_from is 'First day it holds.';
comment on column ops.rating_overrides.valid_until is 'Last day it holds; null: until revoked.';
comment on column ops.rating_overrides.created_at is 'When it was entered.';
comment on column ops.rating_overrides.revoked_at is 'When it was taken back.';

-- ops.report_views: one row a view of report.* -----------------------------------------------------------------------

create table ops.report_views (
    view_name text primary key,
    sha256 text not null,
    created_at timestamptz not null default now()
);

comment on table ops.report_views is 'One row a view in report: which text of sql/warehouse/reports it was made from.';
comment on column ops.report_views.view_name is 'View.';
comment on column ops.report_views.sha256 is 'Hash of its text.';
comment on column ops.report_views.created_at is 'When it was made.';
