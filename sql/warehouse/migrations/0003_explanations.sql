-- What explaining a published grade needs: which indices were missing, what they mean, and the terms of each model; and
-- what a change of a risk factor does to grades and defaults. Reads rating.models, to write down the terms of the models
-- that are there.

-- rating.credit_indices: what was missing ---------------------------------------------------------------------------

alter table rating.credit_indices add column missing_indices text[];

comment on column rating.credit_indices.missing_indices is 'Codes of the indices that had no value, whatever number the policy put in its place; empty: none. Null: published before this was recorded.';

-- rating.index_definitions: what an index is, for reports -------------------------------------------------------------

create table rating.index_definitions (
    index_name text primary key,
    code text not null,
    meaning text,
    reason_en text,
    reason_zh text,
    direction text,
    unit text
);

comment on table rating.index_definitions is 'One row an index, as the policy last described it; one that left the policy stays.';
comment on column rating.index_definitions.index_name is 'Column of rating.credit_indices.';
comment on column rating.index_definitions.code is 'Code, as in the reasons of a grade.';
comment on column rating.index_definitions.meaning is 'What it says.';
comment on column rating.index_definitions.reason_en is 'What is told to a customer whose score it lowers, in English.';
comment on column rating.index_definitions.reason_zh is 'The same in Chinese.';
comment on column rating.index_definitions.direction is '+: more is better for credit; -: less is better.';
comment on column rating.index_definitions.unit is 'Unit of its values.';

-- rating.risk_sensitivity: what a shock does to the ratings ------------------------------------------------------------

alter table rating.risk_sensitivity
    add column is_ranking_shock boolean,
    add column customers bigint,
    add column upgrades bigint,
    add column downgrades bigint,
    add column mean_credit_score double precision,
    add column mean_credit_score_after double precision,
    add column expected_defaults double precision,
    add column expected_defaults_after double precision;

comment on column rating.risk_sensitivity.shock is 'Change of each index of the factor, as a share of its own size; positive: better for credit.';
comment on column rating.risk_sensitivity.evaluation_value is 'Mean evaluation of the factor''s indices before the shock, 0 to 1: 1 from band A on, 2/3 at the bound of B, 1/3 at that of C.';
comment on column rating.risk_sensitivity.is_ranking_shock is 'The policy''s own shock, by which factors are ranked.';
comment on column rating.risk_sensitivity.customers is 'Customers of the segment.';
comment on column rating.risk_sensitivity.upgrades is 'Customers whose grade gets better.';
comment on column rating.risk_sensitivity.downgrades is 'Customers whose grade gets worse.';
comment on column rating.risk_sensitivity.mean_credit_score is 'Mean credit score before the shock.';
comment on column rating.risk_sensitivity.mean_credit_score_after is 'Mean credit score after it.';
comment on column rating.risk_sensitivity.expected_defaults is 'Sum of the default probabilities before the shock.';
comment on column rating.risk_sensitivity.expected_defaults_after is 'Sum of the default probabilities after it.';

-- rating.model_coefficients: the terms of a score in points ------------------------------------------------------------

alter table rating.model_coefficients
    add column kind text check (kind in ('base', 'value', 'missing', 'sentinel', 'band', 'woe')),
    add column index_name text,
    add column lower double precision,
    add column upper double precision,
    add column fill double precision,
    add column mean double precision,
    add column scale double precision,
    add column points_per_unit double precision,
    add column edges double precision[],
    add column points double precision[],
    add column points_missing double precision,
    add column codes double precision[],
    add column points_codes double precision[];

comment on column rating.model_coefficients.coefficient is 'Weight of the term in the model, not in points.';
comment on column rating.model_coefficients.kind is 'How its points follow from the index x. base: points_per_unit. value: points_per_unit * (x clipped to lower and upper, or fill where it is missing or one of codes, less mean) / scale. missing, sentinel: the same with 1 where x is missing, or one of codes, and else 0 in its place. band: points of the letter A to D. woe: points of the bin, width_bucket(x, edges) from 0.';
comment on column rating.model_coefficients.index_name is 'Index whose value or band it reads; null for the base.';
comment on column rating.model_coefficients.lower is 'A value below counts as this.';
comment on column rating.model_coefficients.upper is 'A value above counts as this.';
comment on column rating.model_coefficients.fill is 'What stands for a missing value.';
comment on column rating.model_coefficients.mean is 'Mean in training.';
comment on column rating.model_coefficients.scale is 'Standard deviation in training.';
comment on column rating.model_coefficients.points_per_unit is 'Points for one standard deviation more; of the base, its points.';
comment on column rating.model_coefficients.edges is 'Rising edges between the bins of a step function; a value on an edge belongs above it.';
comment on column rating.model_coefficients.points is 'Points of each step.';
comment on column rating.model_coefficients.points_missing is 'Points of a missing value, of a band or a bin.';
comment on column rating.model_coefficients.codes is 'Values that are codes and not amounts.';
comment on column rating.model_coefficients.points_codes is 'Points of each code, where codes have bins of their own.';

-- The models registered so far: discriminants ...
update rating.model_coefficients as c
set kind = f.feature ->> 'kind',
    index_name = f.feature ->> 'column',
    lower = case when f.feature ->> 'kind' = 'value' then (f.limits ->> 'lower')::double precision end,
    upper = case when f.feature ->> 'kind' = 'value' then (f.limits ->> 'upper')::double precision end,
    fill = case when f.feature ->> 'kind' = 'value' then (f.limits ->> 'fill')::double precision end,
    mean = (f.feature ->> 'mean')::double precision,
    scale = (f.feature ->> 'scale')::double precision,
    points_per_unit = f.points_per_log_odds * f.slope * c.coefficient
from (
    select
        m.version,
        e.key as term,
        e.value as feature,
        m.parameters -> 'transform' -> 'indices' -> (e.value ->> 'column') as limits,
        -(m.parameters -> 'scorecard' ->> 'pdo')::double precision / ln(2::double precision) as points_per_log_odds,
        (m.parameters -> 'calibration' ->> 'slope')::double precision as slope
    from rating.models as m
    cross join lateral json_each(m.parameters -> 'transform' -> 'features') as e
    where m.parameters ->> 'kind' = 'fisher_lda'
) as f
where c.version = f.version and c.term = f.term;

-- ... expert scorecards ...
update rating.model_coefficients as c
set kind = 'band',
    index_name = regexp_replace(c.term, '_band$', ''),
    points = (
        select array_agg(m.points_per_log_odds * c.coefficient * level order by level)
        from generate_series(0, 3) as level
    ),
    points_missing = m.points_per_log_odds * c.coefficient * m.missing_level
from (
    select
        version,
        -(parameters -> 'scorecard' ->> 'pdo')::double precision / ln(2::double precision) as points_per_log_odds,
        (parameters ->> 'missing_level')::double precision as missing_level
    from rating.models
    where parameters ->> 'kind' = 'expert'
) as m
where c.version = m.version and c.term <> 'intercept';

-- ... and the base of both: the score at the intercept's log-odds.
update rating.model_coefficients as c
set kind = 'base',
    points_per_unit = m.points - m.factor * (ln(m.odds) + m.calibrated_at + m.slope * c.coefficient)
from (
    select
        version,
        (parameters -> 'scorecard' ->> 'points')::double precision as points,
        (parameters -> 'scorecard' ->> 'odds')::double precision as odds,
        (parameters -> 'scorecard' ->> 'pdo')::double precision / ln(2::double precision) as factor,
        coalesce((parameters -> 'calibration' ->> 'intercept')::double precision, 0) as calibrated_at,
        coalesce((parameters -> 'calibration' ->> 'slope')::double precision, 1) as slope
    from rating.models
    where parameters ->> 'kind' in ('fisher_lda', 'expert')
) as m
where c.version = m.version and c.term = 'intercept';
