-- One row a rating month, model version and grade: the default rate that was expected of the cohort whose outcomes had
-- become known by then, and the rate that came. The rows with is_total are those of all grades together.
-- Reads rating.model_monitoring and rating.grade_scales.

select
    m.rating_month,
    m.compared_month as cohort_month,
    m.segment as segment_family,
    m.version,
    case when m.subject = 'all' then null else m.subject end as grade,
    s.grade_ordinal,
    m.subject = 'all' as is_total,
    m.customers,
    m.defaults,
    m.expected as expected_rate,
    m.value as observed_rate,
    m.low as observed_rate_low,
    m.high as observed_rate_high,
    m.status
from rating.model_monitoring as m
left join rating.grade_scales as s
    on s.rating_month = m.rating_month
    and s.is_current
    and s.grade = m.subject
where m.measure = 'calibration'
    and m.compared_with = 'outcomes'
