-- Do as many customers default as was expected, by grade?
-- Chart: points with an interval; across grade in the order of grade_ordinal, up observed_rate beside expected_rate.

select
    segment_family,
    cohort_month,
    version,
    grade,
    grade_ordinal,
    customers,
    defaults,
    expected_rate,
    observed_rate,
    observed_rate_low,
    observed_rate_high
from report.reliability
where not is_total
    and rating_month = (select max(rating_month) from report.reliability)
order by segment_family, version, grade_ordinal
