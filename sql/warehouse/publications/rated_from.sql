-- The partitions of facts that what readers see was rated from. One row: a partition with the hash of its facts, and the
-- first days of the months that were rated from just that.
-- No parameters.

select
    t.key as table_name,
    m.key as recorded_month,
    split_part(m.value, ' ', 1) as sha256,
    array_agg(p.rating_month order by p.rating_month) as rating_months
from ops.publications as p
inner join ops.inputs as i on i.input_sha256 = p.input_sha256
cross join lateral jsonb_each(i.partitions) as t
cross join lateral jsonb_each_text(t.value) as m
where p.superseded_at is null
group by 1, 2, 3
order by 1, 2
