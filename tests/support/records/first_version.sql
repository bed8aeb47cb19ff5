-- The warehouse of the first version: 12 customers of the sample utility, August and September 2026 rated. Made by
-- pg_dump; of ops.validation_results ten rows were kept.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE SCHEMA ops;

CREATE SCHEMA rating;

CREATE SCHEMA report;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE ops.arrears_rebates (
    campaign text NOT NULL,
    customer_id text NOT NULL,
    rating_month date NOT NULL,
    opening_arrears numeric(18,2) NOT NULL,
    repaid numeric(18,2) NOT NULL,
    rebate numeric(18,2) NOT NULL,
    clawback numeric(18,2) DEFAULT 0 NOT NULL,
    action_id uuid,
    computed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT arrears_rebates_check CHECK (((clawback >= (0)::numeric) AND (clawback <= rebate))),
    CONSTRAINT arrears_rebates_opening_arrears_check CHECK ((opening_arrears >= (0)::numeric)),
    CONSTRAINT arrears_rebates_rebate_check CHECK ((rebate >= (0)::numeric)),
    CONSTRAINT arrears_rebates_repaid_check CHECK ((repaid >= (0)::numeric))
);

CREATE TABLE ops.migrations (
    version_num character varying(32) NOT NULL
);

CREATE TABLE ops.publications (
    publication_id uuid NOT NULL,
    rating_month date NOT NULL,
    revision integer NOT NULL,
    basis text NOT NULL,
    rows bigint NOT NULL,
    content_sha256 text NOT NULL,
    input_sha256 text NOT NULL,
    policy_sha256 text NOT NULL,
    model_sha256 text NOT NULL,
    model_versions json NOT NULL,
    run_id text NOT NULL,
    run_kind text NOT NULL,
    is_latest_month boolean NOT NULL,
    published_at timestamp with time zone DEFAULT now() NOT NULL,
    superseded_at timestamp with time zone,
    stale_since timestamp with time zone,
    CONSTRAINT publications_basis_check CHECK ((basis = ANY (ARRAY['as_known_then'::text, 'as_known_now'::text]))),
    CONSTRAINT publications_rating_month_check CHECK ((EXTRACT(day FROM rating_month) = (1)::numeric)),
    CONSTRAINT publications_revision_check CHECK ((revision >= 1)),
    CONSTRAINT publications_run_kind_check CHECK ((run_kind = ANY (ARRAY['scheduled'::text, 'manual'::text, 'backfill'::text, 'command'::text])))
);

CREATE TABLE ops.quarantine (
    table_name text NOT NULL,
    recorded_month date NOT NULL,
    row_number bigint NOT NULL,
    rating_month date NOT NULL,
    row_key text,
    failed text[] NOT NULL,
    lake_path text NOT NULL,
    quarantined_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE ops.rating_overrides (
    override_id uuid DEFAULT gen_random_uuid() NOT NULL,
    customer_id text NOT NULL,
    kind text NOT NULL,
    grade text NOT NULL,
    reason text NOT NULL,
    created_by text NOT NULL,
    valid_from date NOT NULL,
    valid_until date,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT rating_overrides_check CHECK ((valid_until >= valid_from)),
    CONSTRAINT rating_overrides_kind_check CHECK ((kind = ANY (ARRAY['override'::text, 'veto'::text])))
);

CREATE TABLE ops.report_views (
    view_name text NOT NULL,
    sha256 text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE ops.service_actions (
    action_id uuid NOT NULL,
    rating_month date NOT NULL,
    customer_id text NOT NULL,
    action_type text NOT NULL,
    reason text NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'proposed'::text NOT NULL,
    blocked_by text,
    attempts integer DEFAULT 0 NOT NULL,
    publication_id uuid,
    proposed_at timestamp with time zone DEFAULT now() NOT NULL,
    approved_by text,
    approved_at timestamp with time zone,
    dispatched_at timestamp with time zone,
    acknowledged_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT service_actions_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT service_actions_check CHECK (((status <> 'blocked'::text) OR (blocked_by IS NOT NULL))),
    CONSTRAINT service_actions_status_check CHECK ((status = ANY (ARRAY['proposed'::text, 'approved'::text, 'dispatched'::text, 'acknowledged'::text, 'blocked'::text, 'suppressed'::text, 'failed'::text])))
);

CREATE TABLE ops.validation_results (
    result_id bigint NOT NULL,
    rating_month date NOT NULL,
    basis text NOT NULL,
    table_name text NOT NULL,
    recorded_month date NOT NULL,
    expectation text NOT NULL,
    column_name text,
    severity text NOT NULL,
    success boolean NOT NULL,
    rows_checked bigint NOT NULL,
    rows_failed bigint NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    checked_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT validation_results_severity_check CHECK ((severity = ANY (ARRAY['warn'::text, 'fail'::text])))
);

ALTER TABLE ops.validation_results ALTER COLUMN result_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ops.validation_results_result_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE rating.credit_grades (
    rating_month date NOT NULL,
    customer_id text NOT NULL,
    segment text NOT NULL,
    region text,
    score double precision NOT NULL,
    default_probability double precision NOT NULL,
    grade text NOT NULL,
    previous_grade text,
    notch_change integer,
    rating_basis text NOT NULL,
    reason_1 text,
    reason_2 text,
    reason_3 text,
    reason_4 text,
    model_version text NOT NULL,
    publication_id uuid NOT NULL,
    CONSTRAINT credit_grades_rating_basis_check CHECK ((rating_basis = ANY (ARRAY['model'::text, 'expert'::text, 'veto'::text, 'override'::text, 'default'::text, 'thin_file'::text, 'new'::text])))
)
PARTITION BY RANGE (rating_month);

CREATE TABLE rating.credit_grades_2026_08_r1 (
    rating_month date NOT NULL,
    customer_id text NOT NULL,
    segment text NOT NULL,
    region text,
    score double precision NOT NULL,
    default_probability double precision NOT NULL,
    grade text NOT NULL,
    previous_grade text,
    notch_change integer,
    rating_basis text NOT NULL,
    reason_1 text,
    reason_2 text,
    reason_3 text,
    reason_4 text,
    model_version text NOT NULL,
    publication_id uuid NOT NULL,
    CONSTRAINT credit_grades_rating_basis_check CHECK ((rating_basis = ANY (ARRAY['model'::text, 'expert'::text, 'veto'::text, 'override'::text, 'default'::text, 'thin_file'::text, 'new'::text]))),
    CONSTRAINT of_its_month CHECK (((rating_month >= '2026-08-01'::date) AND (rating_month < '2026-09-01'::date)))
);

CREATE TABLE rating.credit_grades_2026_09_r1 (
    rating_month date NOT NULL,
    customer_id text NOT NULL,
    segment text NOT NULL,
    region text,
    score double precision NOT NULL,
    default_probability double precision NOT NULL,
    grade text NOT NULL,
    previous_grade text,
    notch_change integer,
    rating_basis text NOT NULL,
    reason_1 text,
    reason_2 text,
    reason_3 text,
    reason_4 text,
    model_version text NOT NULL,
    publication_id uuid NOT NULL,
    CONSTRAINT credit_grades_rating_basis_check CHECK ((rating_basis = ANY (ARRAY['model'::text, 'expert'::text, 'veto'::text, 'override'::text, 'default'::text, 'thin_file'::text, 'new'::text]))),
    CONSTRAINT of_its_month CHECK (((rating_month >= '2026-09-01'::date) AND (rating_month < '2026-10-01'::date)))
);

CREATE TABLE rating.credit_indices (
    rating_month date NOT NULL,
    customer_id text NOT NULL,
    is_thin_file boolean NOT NULL,
    publication_id uuid NOT NULL,
    on_time_payment_rate double precision,
    on_time_payment_rate_band text,
    amount_weighted_days_late double precision,
    amount_weighted_days_late_band text,
    max_days_past_due double precision,
    max_days_past_due_band text,
    arrears_ratio double precision,
    arrears_ratio_band text,
    arrears_recovery_rate double precision,
    arrears_recovery_rate_band text,
    decayed_delinquency double precision,
    decayed_delinquency_band text,
    avg_monthly_kwh double precision,
    avg_monthly_kwh_band text,
    consumption_trend double precision,
    consumption_trend_band text,
    consumption_volatility double precision,
    consumption_volatility_band text,
    asset_liability_ratio double precision,
    asset_liability_ratio_band text,
    current_ratio double precision,
    current_ratio_band text,
    return_on_net_assets double precision,
    return_on_net_assets_band text,
    loan_repayment_on_schedule_rate double precision,
    loan_repayment_on_schedule_rate_band text,
    power_factor_shortfall double precision,
    power_factor_shortfall_band text,
    calibration_on_schedule_rate double precision,
    calibration_on_schedule_rate_band text,
    grid_accident_impact double precision,
    grid_accident_impact_band text,
    violation_severity double precision,
    violation_severity_band text,
    social_credit_rating double precision,
    social_credit_rating_band text,
    service_quality_sensitivity double precision,
    service_quality_sensitivity_band text,
    outage_sensitivity double precision,
    outage_sensitivity_band text
)
PARTITION BY RANGE (rating_month);

CREATE TABLE rating.credit_indices_2026_08_r1 (
    rating_month date NOT NULL,
    customer_id text NOT NULL,
    is_thin_file boolean NOT NULL,
    publication_id uuid NOT NULL,
    on_time_payment_rate double precision,
    on_time_payment_rate_band text,
    amount_weighted_days_late double precision,
    amount_weighted_days_late_band text,
    max_days_past_due double precision,
    max_days_past_due_band text,
    arrears_ratio double precision,
    arrears_ratio_band text,
    arrears_recovery_rate double precision,
    arrears_recovery_rate_band text,
    decayed_delinquency double precision,
    decayed_delinquency_band text,
    avg_monthly_kwh double precision,
    avg_monthly_kwh_band text,
    consumption_trend double precision,
    consumption_trend_band text,
    consumption_volatility double precision,
    consumption_volatility_band text,
    asset_liability_ratio double precision,
    asset_liability_ratio_band text,
    current_ratio double precision,
    current_ratio_band text,
    return_on_net_assets double precision,
    return_on_net_assets_band text,
    loan_repayment_on_schedule_rate double precision,
    loan_repayment_on_schedule_rate_band text,
    power_factor_shortfall double precision,
    power_factor_shortfall_band text,
    calibration_on_schedule_rate double precision,
    calibration_on_schedule_rate_band text,
    grid_accident_impact double precision,
    grid_accident_impact_band text,
    violation_severity double precision,
    violation_severity_band text,
    social_credit_rating double precision,
    social_credit_rating_band text,
    service_quality_sensitivity double precision,
    service_quality_sensitivity_band text,
    outage_sensitivity double precision,
    outage_sensitivity_band text,
    CONSTRAINT of_its_month CHECK (((rating_month >= '2026-08-01'::date) AND (rating_month < '2026-09-01'::date)))
);

CREATE TABLE rating.credit_indices_2026_09_r1 (
    rating_month date NOT NULL,
    customer_id text NOT NULL,
    is_thin_file boolean NOT NULL,
    publication_id uuid NOT NULL,
    on_time_payment_rate double precision,
    on_time_payment_rate_band text,
    amount_weighted_days_late double precision,
    amount_weighted_days_late_band text,
    max_days_past_due double precision,
    max_days_past_due_band text,
    arrears_ratio double precision,
    arrears_ratio_band text,
    arrears_recovery_rate double precision,
    arrears_recovery_rate_band text,
    decayed_delinquency double precision,
    decayed_delinquency_band text,
    avg_monthly_kwh double precision,
    avg_monthly_kwh_band text,
    consumption_trend double precision,
    consumption_trend_band text,
    consumption_volatility double precision,
    consumption_volatility_band text,
    asset_liability_ratio double precision,
    asset_liability_ratio_band text,
    current_ratio double precision,
    current_ratio_band text,
    return_on_net_assets double precision,
    return_on_net_assets_band text,
    loan_repayment_on_schedule_rate double precision,
    loan_repayment_on_schedule_rate_band text,
    power_factor_shortfall double precision,
    power_factor_shortfall_band text,
    calibration_on_schedule_rate double precision,
    calibration_on_schedule_rate_band text,
    grid_accident_impact double precision,
    grid_accident_impact_band text,
    violation_severity double precision,
    violation_severity_band text,
    social_credit_rating double precision,
    social_credit_rating_band text,
    service_quality_sensitivity double precision,
    service_quality_sensitivity_band text,
    outage_sensitivity double precision,
    outage_sensitivity_band text,
    CONSTRAINT of_its_month CHECK (((rating_month >= '2026-09-01'::date) AND (rating_month < '2026-10-01'::date)))
);

CREATE TABLE rating.customer_groups (
    rating_month date NOT NULL,
    customer_id text NOT NULL,
    segment text NOT NULL,
    value_group text,
    demand_group text,
    behaviour_group text,
    group_name text NOT NULL,
    life_cycle_stage text,
    service_sensitivity double precision,
    outage_sensitivity double precision,
    publication_id uuid NOT NULL,
    CONSTRAINT customer_groups_life_cycle_stage_check CHECK ((life_cycle_stage = ANY (ARRAY['new'::text, 'growth'::text, 'mature'::text, 'decline'::text, 'closed'::text])))
)
PARTITION BY RANGE (rating_month);

CREATE TABLE rating.model_coefficients (
    version text NOT NULL,
    term text NOT NULL,
    coefficient double precision NOT NULL
);

CREATE TABLE rating.models (
    version text NOT NULL,
    segment text NOT NULL,
    status text DEFAULT 'challenger'::text NOT NULL,
    effective_from_month date NOT NULL,
    parameters json NOT NULL,
    parameters_sha256 text NOT NULL,
    metrics json NOT NULL,
    input_sha256 text NOT NULL,
    policy_sha256 text NOT NULL,
    registered_at timestamp with time zone DEFAULT now() NOT NULL,
    approved_by text,
    approved_at timestamp with time zone,
    retired_at timestamp with time zone,
    CONSTRAINT models_check CHECK (((status = 'challenger'::text) = (approved_at IS NULL))),
    CONSTRAINT models_status_check CHECK ((status = ANY (ARRAY['challenger'::text, 'champion'::text, 'retired'::text])))
);

CREATE TABLE rating.risk_sensitivity (
    rating_month date NOT NULL,
    segment text NOT NULL,
    risk_factor text NOT NULL,
    shock double precision NOT NULL,
    evaluation_value double precision NOT NULL,
    score_after_change double precision NOT NULL,
    absolute_change double precision NOT NULL,
    relative_change double precision,
    elasticity double precision,
    grade_changes bigint NOT NULL,
    publication_id uuid NOT NULL,
    CONSTRAINT risk_sensitivity_risk_factor_check CHECK ((risk_factor = ANY (ARRAY['production'::text, 'management'::text, 'technical'::text, 'market'::text])))
)
PARTITION BY RANGE (rating_month);

CREATE VIEW report.current_grades AS
 SELECT g.rating_month,
    g.customer_id,
    g.segment,
    g.region,
    g.score,
    g.default_probability,
    g.grade,
    g.previous_grade,
    g.notch_change,
    g.rating_basis,
    g.reason_1,
    g.reason_2,
    g.reason_3,
    g.reason_4,
    g.model_version,
    p.basis,
    p.revision,
    p.published_at
   FROM (rating.credit_grades g
     LEFT JOIN ops.publications p ON ((p.publication_id = g.publication_id)))
  WHERE (g.rating_month = ( SELECT max(l.rating_month) AS max
           FROM ops.publications l
          WHERE (l.superseded_at IS NULL)));

CREATE VIEW report.grade_history AS
 SELECT g.rating_month,
    g.customer_id,
    g.segment,
    g.region,
    g.score,
    g.default_probability,
    g.grade,
    g.previous_grade,
    g.notch_change,
    g.rating_basis,
    g.model_version,
    p.basis,
    p.revision,
    p.published_at
   FROM (rating.credit_grades g
     LEFT JOIN ops.publications p ON ((p.publication_id = g.publication_id)));

CREATE VIEW report.portfolio_summary AS
 SELECT rating_month,
    segment,
    grade,
    count(*) AS customers,
    ((count(*))::numeric / sum(count(*)) OVER (PARTITION BY rating_month, segment)) AS share,
    avg(score) AS mean_score,
    sum(default_probability) AS expected_defaults
   FROM rating.credit_grades g
  GROUP BY rating_month, segment, grade;

ALTER TABLE ONLY rating.credit_grades ATTACH PARTITION rating.credit_grades_2026_08_r1 FOR VALUES FROM ('2026-08-01') TO ('2026-09-01');

ALTER TABLE ONLY rating.credit_grades ATTACH PARTITION rating.credit_grades_2026_09_r1 FOR VALUES FROM ('2026-09-01') TO ('2026-10-01');

ALTER TABLE ONLY rating.credit_indices ATTACH PARTITION rating.credit_indices_2026_08_r1 FOR VALUES FROM ('2026-08-01') TO ('2026-09-01');

ALTER TABLE ONLY rating.credit_indices ATTACH PARTITION rating.credit_indices_2026_09_r1 FOR VALUES FROM ('2026-09-01') TO ('2026-10-01');

INSERT INTO ops.arrears_rebates VALUES
	('monthly-2026-09', 'C00000009', '2026-09-01', 76.48, 76.48, 3.82, 0.00, '50c21597-6b55-52f3-ac26-3ea56566cc67', '2026-11-30 11:04:54.236469+00');

INSERT INTO ops.migrations VALUES
	('0001_initial');

INSERT INTO ops.publications VALUES
	('96472814-e5ff-42fc-b5af-af8a784ef1b7', '2026-08-01', 1, 'as_known_then', 12, 'd5dee9ef82823915991f9ca93d707bbb38627bd006c7b7fbda0ba9af8b828799', '82c5097287bf5169f1f9ef66c376212d64501a76df087951c7f794a157472d71', 'e77ccefb0c563cc6425f29ac04cccdda2b777c0dbed4dbacfbc2373c11f5452e', 'db7c51a6c1ab1236189ef6f40fe72fb298aec1f282e5f719f93537a1f80c6669', '{"non_residential": "non_residential-2026-08-a7e7ea7a", "residential": "residential-2026-08-a7e7ea7a"}', 'command__8669ac1c-a0e4-41b2-8e62-942cfb2bcf23', 'command', true, '2026-11-30 11:04:04.470848+00', NULL, NULL),
	('f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', '2026-09-01', 1, 'as_known_then', 12, '4efc6c97bb58b53515dfcbe09069391889e1d6f125344670a9c06899ff2e8401', '36be6c66a960f73f5d5badb0cd7d9d6774dd375340b83ff57b71d8144ebf727e', 'e77ccefb0c563cc6425f29ac04cccdda2b777c0dbed4dbacfbc2373c11f5452e', 'db7c51a6c1ab1236189ef6f40fe72fb298aec1f282e5f719f93537a1f80c6669', '{"non_residential": "non_residential-2026-08-a7e7ea7a", "residential": "residential-2026-08-a7e7ea7a"}', 'command__d8018620-3c60-4307-90e4-48b78ea5fbac', 'command', true, '2026-11-30 11:04:53.704958+00', NULL, NULL);

INSERT INTO ops.report_views VALUES
	('current_grades', '4043655d85f8f3d1c35af5a75cdeb04fc6b2885337279403c0e1c4479b9e8cdc', '2026-11-30 11:03:21.312325+00'),
	('grade_history', 'f3de7905949a892f811dc0c126fa27552183c0cbdc5c63651bd1c8d1c7d6c229', '2026-11-30 11:03:21.312325+00'),
	('portfolio_summary', '9565c68ffa191f3519270911d7908d3c4ab2712704fcb2de44edf4545482f631', '2026-11-30 11:03:21.312325+00');

INSERT INTO ops.service_actions VALUES
	('50c21597-6b55-52f3-ac26-3ea56566cc67', '2026-09-01', 'C00000009', 'arrears_rebate', 'repaid 76.48 of 76.48 overdue when campaign monthly-2026-09 began', '{"terms": {"cap": "50.0", "rate": "0.05", "share": "0.5", "last_month": "2026-09", "first_month": "2026-09"}, "rebate": "3.82", "repaid": "76.48", "campaign": "monthly-2026-09", "opening_arrears": "76.48"}', 'proposed', NULL, 0, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', '2026-11-30 11:04:54.236469+00', NULL, NULL, NULL, NULL, '2026-11-30 11:04:54.236469+00');

INSERT INTO ops.validation_results OVERRIDING SYSTEM VALUE VALUES
	(1, '2026-08-01', 'as_known_then', 'customers', '2026-08-01', 'values have the contract''s types', NULL, 'fail', true, 12, 0, '{}', '2026-11-30 11:03:45.500916+00'),
	(2, '2026-08-01', 'as_known_then', 'customers', '2026-08-01', 'customer_id is given', 'customer_id', 'fail', true, 12, 0, '{}', '2026-11-30 11:03:45.500916+00'),
	(3, '2026-08-01', 'as_known_then', 'customers', '2026-08-01', 'segment is given', 'segment', 'fail', true, 12, 0, '{}', '2026-11-30 11:03:45.500916+00'),
	(4, '2026-08-01', 'as_known_then', 'customers', '2026-08-01', 'region is given', 'region', 'fail', true, 12, 0, '{}', '2026-11-30 11:03:45.500916+00'),
	(5, '2026-08-01', 'as_known_then', 'customers', '2026-08-01', 'connected_on is given', 'connected_on', 'fail', true, 12, 0, '{}', '2026-11-30 11:03:45.500916+00'),
	(6, '2026-08-01', 'as_known_then', 'customers', '2026-08-01', 'recorded_at is given', 'recorded_at', 'fail', true, 12, 0, '{}', '2026-11-30 11:03:45.500916+00'),
	(7, '2026-08-01', 'as_known_then', 'customers', '2026-08-01', 'customer_id, recorded_at occurs once', 'customer_id', 'fail', true, 12, 0, '{}', '2026-11-30 11:03:45.500916+00'),
	(8, '2026-08-01', 'as_known_then', 'customers', '2026-08-01', 'recorded_at is in the month', 'recorded_at', 'fail', true, 12, 0, '{}', '2026-11-30 11:03:45.500916+00'),
	(9, '2026-08-01', 'as_known_then', 'customers', '2026-08-01', 'segment is known', 'segment', 'fail', true, 12, 0, '{}', '2026-11-30 11:03:45.500916+00'),
	(10, '2026-08-01', 'as_known_then', 'customers', '2026-08-01', 'closed after connected', 'closed_on', 'fail', true, 12, 0, '{}', '2026-11-30 11:03:45.500916+00');

INSERT INTO rating.credit_grades_2026_08_r1 VALUES
	('2026-08-01', 'C00000001', 'residential', 'north', 619.8508199662901, 0.009951801866904324, 'AA', NULL, NULL, 'expert', 'P6', NULL, NULL, NULL, 'residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7'),
	('2026-08-01', 'C00000002', 'commercial', 'north', 631.3923802934019, 0.0066928509242848554, 'AA', NULL, NULL, 'expert', NULL, NULL, NULL, NULL, 'non_residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7'),
	('2026-08-01', 'C00000003', 'residential', 'north', 565.0284084125095, 0.06297335605699649, 'C', NULL, NULL, 'expert', 'P1', 'P3', 'P2', 'P6', 'residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7'),
	('2026-08-01', 'C00000004', 'residential', 'north', 628.5069902116239, 0.007391541344281971, 'AA', NULL, NULL, 'expert', 'C2', NULL, NULL, NULL, 'residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7'),
	('2026-08-01', 'C00000005', 'residential', 'north', 631.3923802934019, 0.0066928509242848554, 'AA', NULL, NULL, 'expert', NULL, NULL, NULL, NULL, 'residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7'),
	('2026-08-01', 'C00000006', 'residential', 'north', 567.9137984942874, 0.057324175898868755, 'C', NULL, NULL, 'expert', 'P6', 'P1', 'P3', 'P2', 'residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7'),
	('2026-08-01', 'C00000007', 'residential', 'north', 590.9969191485109, 0.026596993576865856, 'B', NULL, NULL, 'expert', 'P1', 'P3', 'P6', NULL, 'residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7'),
	('2026-08-01', 'C00000008', 'residential', 'north', 539.0598976765082, 0.14185106490048777, 'C', NULL, NULL, 'expert', 'P1', 'P3', 'P2', 'P6', 'residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7'),
	('2026-08-01', 'C00000009', 'residential', 'north', 524.6329472676185, 0.21416501695744142, 'D', NULL, NULL, 'expert', 'P1', 'P5', 'P4', 'P3', 'residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7'),
	('2026-08-01', 'C00000010', 'residential', 'north', 625.621600129846, 0.008162571153159897, 'AA', NULL, NULL, 'expert', 'C2', NULL, NULL, NULL, 'residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7'),
	('2026-08-01', 'C00000011', 'residential', 'north', 616.9654298845122, 0.01098694263059318, 'A', NULL, NULL, 'expert', 'P3', NULL, NULL, NULL, 'residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7'),
	('2026-08-01', 'C00000012', 'residential', 'north', 628.5069902116239, 0.007391541344281971, 'AA', NULL, NULL, 'expert', 'C2', NULL, NULL, NULL, 'residential-2026-08-a7e7ea7a', '96472814-e5ff-42fc-b5af-af8a784ef1b7');

INSERT INTO rating.credit_grades_2026_09_r1 VALUES
	('2026-09-01', 'C00000001', 'residential', 'north', 619.8508199662901, 0.009951801866904324, 'AA', 'AA', 0, 'expert', 'P6', NULL, NULL, NULL, 'residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2'),
	('2026-09-01', 'C00000002', 'commercial', 'north', 631.3923802934019, 0.0066928509242848554, 'AA', 'AA', 0, 'expert', NULL, NULL, NULL, NULL, 'non_residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2'),
	('2026-09-01', 'C00000003', 'residential', 'north', 562.1430183307316, 0.06913842034334682, 'C', 'C', 0, 'expert', 'P1', 'P3', 'P2', 'P6', 'residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2'),
	('2026-09-01', 'C00000004', 'residential', 'north', 622.7362100480681, 0.009013298652847822, 'AA', 'AA', 0, 'expert', 'C2', 'C3', NULL, NULL, 'residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2'),
	('2026-09-01', 'C00000005', 'residential', 'north', 631.3923802934019, 0.0066928509242848554, 'AA', 'AA', 0, 'expert', NULL, NULL, NULL, NULL, 'residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2'),
	('2026-09-01', 'C00000006', 'residential', 'north', 567.9137984942874, 0.057324175898868755, 'C', 'C', 0, 'expert', 'P6', 'P1', 'P3', 'P2', 'residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2'),
	('2026-09-01', 'C00000007', 'residential', 'north', 590.9969191485109, 0.026596993576865856, 'B', 'B', 0, 'expert', 'P1', 'P3', 'P6', NULL, 'residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2'),
	('2026-09-01', 'C00000008', 'residential', 'north', 562.1430183307316, 0.06913842034334684, 'C', 'C', 0, 'expert', 'P3', 'P1', 'P2', 'P6', 'residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2'),
	('2026-09-01', 'C00000009', 'residential', 'north', 547.716067921842, 0.10909682119561293, 'C', 'D', 1, 'expert', 'P1', 'P3', 'P2', 'P6', 'residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2'),
	('2026-09-01', 'C00000010', 'residential', 'north', 625.621600129846, 0.008162571153159897, 'AA', 'AA', 0, 'expert', 'C2', NULL, NULL, NULL, 'residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2'),
	('2026-09-01', 'C00000011', 'residential', 'north', 614.0800398027343, 0.012128434984274237, 'A', 'A', 0, 'expert', 'P3', 'C2', NULL, NULL, 'residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2'),
	('2026-09-01', 'C00000012', 'residential', 'north', 628.5069902116239, 0.007391541344281971, 'AA', 'AA', 0, 'expert', 'C2', NULL, NULL, NULL, 'residential-2026-08-a7e7ea7a', 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2');

INSERT INTO rating.credit_indices_2026_08_r1 VALUES
	('2026-08-01', 'C00000001', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0.17782817, 'B', 5.593386152433708, 'B', 0.05367130744330817, 'A', 0.24515206895694544, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-08-01', 'C00000002', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0, 'A', 7.198908133794405, 'A', 0.004003140818014783, 'A', 0.12943476143711888, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-08-01', 'C00000003', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 0.75, 'C', 1.6544429063463029, 'B', 9, 'B', 0, 'A', 1, 'A', 0.180548531, 'B', 6.69760178206162, 'A', -0.047990266960519334, 'A', 0.1509249560896861, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-08-01', 'C00000004', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0, 'A', 5.978275029917266, 'B', -0.1496004267263955, 'B', 0.23938273675328778, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-08-01', 'C00000005', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0, 'A', 4.972204535513354, 'C', 0.0682959684402964, 'A', 0.19993035860943878, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-08-01', 'C00000006', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 0.9166666666666666, 'B', 0.9980566443990504, 'B', 13, 'B', 0, 'A', 1, 'A', 2.100595671, 'C', 5.666824218397901, 'B', 0.06121500547931524, 'A', 0.24046001978334428, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-08-01', 'C00000007', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 0.9166666666666666, 'B', 0.12135926760923339, 'A', 2, 'B', 0, 'A', 1, 'A', 0.217142583, 'B', 5.834426559075798, 'B', 0.0911537823330335, 'A', 0.1848567276992287, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-08-01', 'C00000008', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 0.8333333333333334, 'C', 3.0031597014537232, 'C', 33, 'C', 0, 'A', 1, 'A', 0.405221612, 'B', 5.458328696310604, 'B', -0.003789194779211469, 'A', 0.15567881431717048, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-08-01', 'C00000009', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 0.8333333333333334, 'C', 0.6697678888942284, 'B', 5, 'B', 0.8820798692873275, 'C', 0.5781577495863209, 'D', 0, 'A', 5.795858896142012, 'B', -0.08098533474102965, 'B', 0.15144088534202524, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-08-01', 'C00000010', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0, 'A', 5.503379891396909, 'B', -0.18893477657645774, 'C', 0.1952833163997225, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-08-01', 'C00000011', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 1, 'A', 0, 'A', 5, 'B', 0, 'A', 1, 'A', 0, 'A', 5.862745366718562, 'B', -0.0035751690579399753, 'A', 0.17530505537195315, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-08-01', 'C00000012', false, '96472814-e5ff-42fc-b5af-af8a784ef1b7', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0, 'A', 6.438341235896319, 'A', NULL, NULL, 0.22150662542148816, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO rating.credit_indices_2026_09_r1 VALUES
	('2026-09-01', 'C00000001', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0.158690177, 'B', 5.601913695291841, 'B', 0.06879331598411165, 'A', 0.2303071245010367, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-09-01', 'C00000002', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0, 'A', 7.199137621981022, 'A', -0.027063200276512323, 'A', 0.12937640761405392, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-09-01', 'C00000003', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 0.8333333333333334, 'C', 1.599286871419744, 'B', 9, 'B', 0, 'A', 1, 'A', 0.161117772, 'B', 6.683728525259478, 'A', -0.06889207895051741, 'B', 0.1687292473967334, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-09-01', 'C00000004', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0, 'A', 5.9589816008046865, 'B', -0.2127020163709592, 'C', 0.25792315740388944, 'B', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-09-01', 'C00000005', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0, 'A', 4.969762372353306, 'C', 0.06481161551185455, 'A', 0.20378922772788638, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-09-01', 'C00000006', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 0.9166666666666666, 'B', 1.000797192112227, 'B', 13, 'B', 0, 'A', 1, 'A', 1.874528094, 'C', 5.663570458202907, 'B', 0.09117404995767697, 'A', 0.24302291159866596, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-09-01', 'C00000007', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 0.9166666666666666, 'B', 0.12262175945993306, 'A', 2, 'B', 0, 'A', 1, 'A', 0.193773546, 'B', 5.8218574542248, 'B', 0.00033967424844605354, 'A', 0.19927454973532208, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-09-01', 'C00000008', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 0.9166666666666666, 'B', 2.558592980659393, 'B', 33, 'C', 0, 'A', 1, 'A', 0.361611378, 'B', 5.447253402292705, 'B', -0.0809497635443458, 'B', 0.16736717420366937, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-09-01', 'C00000009', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 0.8333333333333334, 'C', 1.647121846693289, 'B', 18, 'C', 0, 'A', 1, 'A', 0.916406034, 'B', 5.781239534729902, 'B', -0.09128553731221267, 'B', 0.17468682315476058, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-09-01', 'C00000010', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0, 'A', 5.4823981389033705, 'B', -0.28970753121159754, 'C', 0.2039630618833879, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-09-01', 'C00000011', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 1, 'A', 0, 'A', 5, 'B', 0, 'A', 1, 'A', 0, 'A', 5.848917156053399, 'B', -0.06806683461626417, 'B', 0.18975262427674225, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('2026-09-01', 'C00000012', false, 'f7ac3e26-07c9-4c5c-8df2-473fb41cf3e2', 1, 'A', 0, 'A', 0, 'A', 0, 'A', 1, 'A', 0, 'A', 6.443974285282937, 'A', NULL, NULL, 0.20978886375275294, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

INSERT INTO rating.model_coefficients VALUES
	('residential-2026-08-a7e7ea7a', 'intercept', -5),
	('residential-2026-08-a7e7ea7a', 'on_time_payment_rate_band', 0.5),
	('residential-2026-08-a7e7ea7a', 'amount_weighted_days_late_band', 0.4),
	('residential-2026-08-a7e7ea7a', 'max_days_past_due_band', 0.5),
	('residential-2026-08-a7e7ea7a', 'arrears_ratio_band', 0.4),
	('residential-2026-08-a7e7ea7a', 'arrears_recovery_rate_band', 0.3),
	('residential-2026-08-a7e7ea7a', 'decayed_delinquency_band', 0.4),
	('residential-2026-08-a7e7ea7a', 'consumption_trend_band', 0.1),
	('residential-2026-08-a7e7ea7a', 'consumption_volatility_band', 0.1),
	('non_residential-2026-08-a7e7ea7a', 'intercept', -5),
	('non_residential-2026-08-a7e7ea7a', 'on_time_payment_rate_band', 0.5),
	('non_residential-2026-08-a7e7ea7a', 'amount_weighted_days_late_band', 0.4),
	('non_residential-2026-08-a7e7ea7a', 'max_days_past_due_band', 0.5),
	('non_residential-2026-08-a7e7ea7a', 'arrears_ratio_band', 0.4),
	('non_residential-2026-08-a7e7ea7a', 'arrears_recovery_rate_band', 0.3),
	('non_residential-2026-08-a7e7ea7a', 'decayed_delinquency_band', 0.4),
	('non_residential-2026-08-a7e7ea7a', 'consumption_trend_band', 0.1),
	('non_residential-2026-08-a7e7ea7a', 'consumption_volatility_band', 0.1);

INSERT INTO rating.models VALUES
	('residential-2026-08-a7e7ea7a', 'residential', 'champion', '2026-08-01', '{"format": 1, "kind": "expert", "intercept": -5.0, "weights": {"on_time_payment_rate_band": 0.5, "amount_weighted_days_late_band": 0.4, "max_days_past_due_band": 0.5, "arrears_ratio_band": 0.4, "arrears_recovery_rate_band": 0.3, "decayed_delinquency_band": 0.4, "consumption_trend_band": 0.1, "consumption_volatility_band": 0.1}, "missing_level": 1.0, "scorecard": {"points": 600.0, "odds": 50.0, "pdo": 20.0}}', '2fcc51899296b82d775d1120ba6b48a4ba7440e530efcffb6ff71ecc8347f429', '{"fit": {"customers": 65, "defaults": 0}, "calibration": {"customers": 23, "defaults": 0}, "test": {"customers": 6, "defaults": 0}}', '549c6a07a178059cc8e60059fa3e0821886794136f1e8a3ce9643d7f2d2af2d1', 'e77ccefb0c563cc6425f29ac04cccdda2b777c0dbed4dbacfbc2373c11f5452e', '2026-11-30 11:04:03.878535+00', 'policy', '2026-11-30 11:04:03.94916+00', NULL),
	('non_residential-2026-08-a7e7ea7a', 'non_residential', 'champion', '2026-08-01', '{"format": 1, "kind": "expert", "intercept": -5.0, "weights": {"on_time_payment_rate_band": 0.5, "amount_weighted_days_late_band": 0.4, "max_days_past_due_band": 0.5, "arrears_ratio_band": 0.4, "arrears_recovery_rate_band": 0.3, "decayed_delinquency_band": 0.4, "consumption_trend_band": 0.1, "consumption_volatility_band": 0.1}, "missing_level": 1.0, "scorecard": {"points": 600.0, "odds": 50.0, "pdo": 20.0}}', '2fcc51899296b82d775d1120ba6b48a4ba7440e530efcffb6ff71ecc8347f429', '{"fit": {"customers": 9, "defaults": 0}, "calibration": {"customers": 3, "defaults": 0}, "test": {"customers": 0, "defaults": 0}}', '549c6a07a178059cc8e60059fa3e0821886794136f1e8a3ce9643d7f2d2af2d1', 'e77ccefb0c563cc6425f29ac04cccdda2b777c0dbed4dbacfbc2373c11f5452e', '2026-11-30 11:04:03.999134+00', 'policy', '2026-11-30 11:04:04.033397+00', NULL);

SELECT pg_catalog.setval('ops.validation_results_result_id_seq', 3722, true);

ALTER TABLE ONLY ops.arrears_rebates
    ADD CONSTRAINT arrears_rebates_pkey PRIMARY KEY (campaign, customer_id);

ALTER TABLE ONLY ops.migrations
    ADD CONSTRAINT migrations_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY ops.publications
    ADD CONSTRAINT publications_pkey PRIMARY KEY (publication_id);

ALTER TABLE ONLY ops.publications
    ADD CONSTRAINT publications_rating_month_revision_key UNIQUE (rating_month, revision);

ALTER TABLE ONLY ops.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (table_name, recorded_month, row_number);

ALTER TABLE ONLY ops.rating_overrides
    ADD CONSTRAINT rating_overrides_pkey PRIMARY KEY (override_id);

ALTER TABLE ONLY ops.report_views
    ADD CONSTRAINT report_views_pkey PRIMARY KEY (view_name);

ALTER TABLE ONLY ops.service_actions
    ADD CONSTRAINT service_actions_pkey PRIMARY KEY (action_id);

ALTER TABLE ONLY ops.validation_results
    ADD CONSTRAINT validation_results_pkey PRIMARY KEY (result_id);

ALTER TABLE ONLY rating.credit_grades
    ADD CONSTRAINT credit_grades_pkey PRIMARY KEY (rating_month, customer_id);

ALTER TABLE ONLY rating.credit_grades_2026_08_r1
    ADD CONSTRAINT credit_grades_2026_08_r1_pkey PRIMARY KEY (rating_month, customer_id);

ALTER TABLE ONLY rating.credit_grades_2026_09_r1
    ADD CONSTRAINT credit_grades_2026_09_r1_pkey PRIMARY KEY (rating_month, customer_id);

ALTER TABLE ONLY rating.credit_indices
    ADD CONSTRAINT credit_indices_pkey PRIMARY KEY (rating_month, customer_id);

ALTER TABLE ONLY rating.credit_indices_2026_08_r1
    ADD CONSTRAINT credit_indices_2026_08_r1_pkey PRIMARY KEY (rating_month, customer_id);

ALTER TABLE ONLY rating.credit_indices_2026_09_r1
    ADD CONSTRAINT credit_indices_2026_09_r1_pkey PRIMARY KEY (rating_month, customer_id);

ALTER TABLE ONLY rating.customer_groups
    ADD CONSTRAINT customer_groups_pkey PRIMARY KEY (rating_month, customer_id);

ALTER TABLE ONLY rating.model_coefficients
    ADD CONSTRAINT model_coefficients_pkey PRIMARY KEY (version, term);

ALTER TABLE ONLY rating.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (version);

ALTER TABLE ONLY rating.risk_sensitivity
    ADD CONSTRAINT risk_sensitivity_pkey PRIMARY KEY (rating_month, segment, risk_factor, shock);

CREATE UNIQUE INDEX one_current_publication_a_month ON ops.publications USING btree (rating_month) WHERE (superseded_at IS NULL);

CREATE INDEX rating_overrides_by_customer ON ops.rating_overrides USING btree (customer_id);

CREATE INDEX service_actions_by_customer ON ops.service_actions USING btree (customer_id);

CREATE INDEX service_actions_by_month ON ops.service_actions USING btree (rating_month, status);

CREATE INDEX validation_results_by_partition ON ops.validation_results USING btree (table_name, recorded_month);

CREATE UNIQUE INDEX one_champion_a_segment ON rating.models USING btree (segment) WHERE (status = 'champion'::text);

ALTER INDEX rating.credit_grades_pkey ATTACH PARTITION rating.credit_grades_2026_08_r1_pkey;

ALTER INDEX rating.credit_grades_pkey ATTACH PARTITION rating.credit_grades_2026_09_r1_pkey;

ALTER INDEX rating.credit_indices_pkey ATTACH PARTITION rating.credit_indices_2026_08_r1_pkey;

ALTER INDEX rating.credit_indices_pkey ATTACH PARTITION rating.credit_indices_2026_09_r1_pkey;

ALTER TABLE ONLY ops.arrears_rebates
    ADD CONSTRAINT arrears_rebates_action_id_fkey FOREIGN KEY (action_id) REFERENCES ops.service_actions(action_id);

ALTER TABLE ONLY ops.service_actions
    ADD CONSTRAINT service_actions_publication_id_fkey FOREIGN KEY (publication_id) REFERENCES ops.publications(publication_id);

ALTER TABLE ONLY rating.model_coefficients
    ADD CONSTRAINT model_coefficients_version_fkey FOREIGN KEY (version) REFERENCES rating.models(version);

