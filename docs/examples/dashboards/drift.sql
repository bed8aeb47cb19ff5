-- Have customers, or their records, changed since the models were trained?
-- Chart: lines; across rating_month, up stability_index, a line an index; limit_value as a line of its own.

select
    rating_month,
    segment_family,
    version,
    code,
    index_name,
    stability_index,
    limit_value,
    status
from report.index_drift
where rating_month > (select max(rating_month) from report.publications where is_current) - interval '12 months'
order by segment_family, index_name, rating_month, version
