-- The life of a model: where it came from, which gates it passed, from when to when it rates, what it looks like in use.
-- Runs once, in one transaction. Reads rating.models.

alter table rating.models
    add column trained_month date check (extract(day from trained_month) = 1),
    add column retired_from_month date check (extract(day from retired_from_month) = 1),
    add column origin text not null default 'trained'
        check (origin in ('trained', 'recalibrated', 'expert', 'imported')),
    add column provenance json not null default '{}',
    add column gates json,
    add column has_passed boolean,
    add column is_trial boolean not null default false,
    add check ((gates is null) = (has_passed is null));

update rating.models set trained_month = effective_from_month;

alter table rating.models alter column trained_month set not null;

comment on column rating.models.effective_from_month is 'First rating month the model is in force for, once approved; until then the month it was trained as of.';
comment on column rating.models.trained_month is 'Rating month it was trained as of: it knows no record of a later time.';
comment on column rating.models.retired_from_month is 'First rating month another is in force for; null while it is the champion, or was never promoted.';
comment on column rating.models.origin is 'trained, recalibrated (the weights of another version), expert (the policy''s scorecard) or imported.';
comment on column rating.models.provenance is 'What it was made from: cohorts, rows, the version that was recalibrated, the file that was imported.';
comment on column rating.models.gates is 'The gates it had to pass: value, limit and verdict of each; null for one that was never held against any.';
comment on column rating.models.has_passed is 'Whether it passed all of them.';
comment on column rating.models.is_trial is 'Made by dry runs only: it is not put in force by itself.';

-- rating.model_promotions: which model is in force for which month -------------------------------------------------------

create table rating.model_promotions (
    promotion_id bigint generated always as identity primary key,
    segment text not null,
    version text not null references rating.models,
    from_month date not null check (extract(day from from_month) = 1),
    approved_by text not null,
    approved_at timestamptz not null default now(),
    reason text not null default ''
);

create index model_promotions_by_month on rating.model_promotions (segment, from_month desc, promotion_id desc);

insert into rating.model_promotions (segment, version, from_month, approved_by, approved_at)
select
    segment,
    version,
    effective_from_month,
    coalesce(approved_by, 'unknown'),
    approved_at
from rating.models
where status in ('champion', 'retired')
order by approved_at;

update rating.models as m
set retired_from_month = (
    select min(p.from_month)
    from rating.model_promotions as p
    where p.segment = m.segment
        and p.from_month >= m.effective_from_month
        and p.version <> m.version
)
where m.status = 'retired';

comment on table rating.model_promotions is 'One row a promotion; never changed. In force for a month is the last one from that month or an earlier one on.';
comment on column rating.model_promotions.promotion_id is 'Running number: of two from the same month the later counts.';
comment on column rating.model_promotions.segment is 'Segment family.';
comment on column rating.model_promotions.version is 'Model version put in force.';
comment on column rating.model_promotions.from_month is 'First rating month it is in force for, until the next promotion''s.';
comment on column rating.model_promotions.approved_by is 'Who: a person, or the policy.';
comment on column rating.model_promotions.approved_at is 'When.';
comment on column rating.model_promotions.reason is 'Why.';

-- ops.publications: why its models -----------------------------------------------------------------------------------

alter table ops.publications add column model_decision text not null default '';

comment on column ops.publications.model_decision is 'Why the month was rated with these models: retrained or applied, and what spoke for it.';

-- rating.model_monitoring: what was measured of the models in use ----------------------------------------------------------

create table rating.model_monitoring (
    rating_month date not null check (extract(day from rating_month) = 1),
    segment text not null,
    version text not null references rating.models,
    measure text not null check (measure in ('psi', 'csi', 'auc', 'ks', 'brier', 'calibration')),
    subject text not null,
    compared_with text not null check (compared_with in ('training', 'year_before', 'outcomes')),
    compared_month date,
    value double precision,
    low double precision,
    high double precision,
    expected double precision,
    limit_value double precision,
    customers bigint not null,
    defaults bigint,
    unseen bigint not null default 0,
    status text not null check (status in ('pass', 'warn', 'fail', 'not_judged')),
    detail text not null default '',
    basis text not null,
    measured_at timestamptz not null default now(),
    primary key (rating_month, version, measure, subject, compared_with)
);

comment on table rating.model_monitoring is 'One row a rating month, model version and measure: the latest look at the models that rated the month.';
comment on column rating.model_monitoring.rating_month is 'First day of the rating month.';
comment on column rating.model_monitoring.segment is 'Segment family.';
comment on column rating.model_monitoring.version is 'Model version.';
comment on column rating.model_monitoring.measure is 'psi (of the score), csi (of an index); auc, ks, brier and calibration (default rate by grade, and in all) of a matured cohort.';
comment on column rating.model_monitoring.subject is 'score, an index, a grade, or all.';
comment on column rating.model_monitoring.compared_with is 'training, year_before (the same calendar month), or outcomes (what became of the cohort).';
comment on column rating.model_monitoring.compared_month is 'The month a year before, or the cohort; null for training.';
comment on column rating.model_monitoring.value is 'What was measured.';
comment on column rating.model_monitoring.low is 'Lower end of its 95 % interval, where it has one.';
comment on column rating.model_monitoring.high is 'Upper end.';
comment on column rating.model_monitoring.expected is 'What it should be: AUC, KS and Brier score at training, the mean default probability.';
comment on column rating.model_monitoring.limit_value is 'The policy''s limit; null where it has none.';
comment on column rating.model_monitoring.customers is 'Customers it was measured on.';
comment on column rating.model_monitoring.defaults is 'Defaults among them, where outcomes are known.';
comment on column rating.model_monitoring.unseen is 'Customers with a value of a kind that training had not.';
comment on column rating.model_monitoring.status is 'pass, warn, fail, or not_judged (too few customers, no limit).';
comment on column rating.model_monitoring.detail is 'In words, where the numbers do not say it.';
comment on column rating.model_monitoring.basis is 'Basis of the publication that was looked at.';
comment on column rating.model_monitoring.measured_at is 'When.';

-- rating.shadow_grades: challenger beside champion --------------------------------------------------------------------------

create table rating.shadow_grades (
    rating_month date not null check (extract(day from rating_month) = 1),
    segment text not null,
    champion text not null references rating.models (version),
    challenger text not null references rating.models (version),
    champion_grade text not null,
    challenger_grade text not null,
    customers bigint not null,
    measured_at timestamptz not null default now(),
    primary key (rating_month, challenger, champion_grade, challenger_grade)
);

comment on table rating.shadow_grades is 'One row a shadow month, challenger and pair of grades: how many customers the two models grade so.';
comment on column rating.shadow_grades.rating_month is 'First day of the rating month.';
comment on column rating.shadow_grades.segment is 'Segment family.';
comment on column rating.shadow_grades.champion is 'Model version that rated the month.';
comment on column rating.shadow_grades.challenger is 'Model version in its shadow.';
comment on column rating.shadow_grades.champion_grade is 'Grade by the champion''s default probability, before any rule that follows the model.';
comment on column rating.shadow_grades.challenger_grade is 'Grade by the challenger''s, likewise.';
comment on column rating.shadow_grades.customers is 'Customers with this pair.';
comment on column rating.shadow_grades.measured_at is 'When.';
