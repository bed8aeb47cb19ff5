-- The partitions of the lake that what is published was rated from. One row: a source table and a recorded month.
-- Parameters: oldest (the first month that counts, its first day).

select distinct t.key, m.key
from ops.publications as p
inner join ops.inputs as i on i.input_sha256 = p.input_sha256
cross join lateral jsonb_each(i.partitions) as t
cross join lateral jsonb_each(t.value) as m
where p.superseded_at is null and p.rating_month >= :oldest
