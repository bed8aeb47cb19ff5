-- The Theil-Sen slope of satisfaction on the quality of service in each segment, the median over all pairs of answers
-- of its rated customers: one row per segment with any. It looks at all customers, so it is asked once and bound as
-- segment_slopes, whatever customers are measured then.
-- Reads population, satisfaction_slopes. Parameters: as_of, since_service_quality_sensitivity.
with ordered as (
    select
        p.segment,
        s.slope,
        row_number() over (partition by p.segment order by s.slope) as place,
        count(*) over (partition by p.segment) as pairs
    from satisfaction_slopes as s
    inner join population as p on p.customer_id = s.customer_id
)

select
    segment,
    avg(slope) as slope
from ordered
where 2 * place between pairs and pairs + 2
group by segment
