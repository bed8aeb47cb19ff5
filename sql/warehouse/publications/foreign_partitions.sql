-- Partitions of the monthly tables whose rows readers see, though no current publication is theirs. One row: a name.
-- Parameters: tables (with their schemas).

select cast(c.relname as text) as name
from pg_inherits as i
inner join pg_class as c on c.oid = i.inhrelid
inner join pg_class as parent on parent.oid = i.inhparent
where i.inhparent = any(cast(:tables as regclass[]))
    and not exists (
        select
        from ops.publications as p
        where p.superseded_at is null
            and c.relname = parent.relname || to_char(p.rating_month, '_YYYY_MM"_r"') || p.revision
    )
order by 1
