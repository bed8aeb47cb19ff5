-- The rows to check with a flag beside: whether a reference of theirs is empty, or leads to what the lake knew by their
-- month; in its first months it may lead to before the lake.
-- Reads checked. No parameters.
-- Fragments: rows (checked, with the flags of other references), known (numbered rows of the table it leads to),
-- referred_column, column (of checked), since (number of the first month in which it must lead somewhere), flag.
select
    r.*,
    r.{column} is null or r.file_number < {since} or coalesce(n.since <= r.file_number, false) as {flag}
from ({rows}) as r
left join (
    select
        {referred_column} as name,
        min(file_number) as since
    from {known}
    where {referred_column} in (select {column} from checked)
    group by {referred_column}
) as n on n.name = r.{column}
