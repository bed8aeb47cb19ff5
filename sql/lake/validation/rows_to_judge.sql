-- The rows to check that may fail a rule, in the order of the lake, with what their rules look at.
-- A key occurs once: in all months, of a snapshot within its own. Hashes find the few candidates without holding every
-- key of the lake; only those are then compared in full.
-- Reads checked, earlier (numbered rows of the lake), bounds (by file_number the instants since and until). No parameters.
-- Fragments: key (its columns), within (what a key is unique in), given (a condition: none of the key is null),
-- rows (checked, under reference_looked_up for each reference), columns (what the rules look at), suspicious (a
-- condition: a rule fails).
with seen_before as (
    select
        file_number,
        file_row_number,
        {key}
    from earlier
    semi join checked using ({key})
),

suspects as (
    select hash({within}) as key_hash
    from checked
    where {given}
    group by hash({within})
    having count(*) > 1
    union all
    select hash({within}) as key_hash
    from seen_before
),

candidates as (
    select
        file_number,
        file_row_number,
        true as is_checked,
        {key}
    from checked
    where {given} and hash({within}) in (select key_hash from suspects)
    union all
    select
        file_number,
        file_row_number,
        false as is_checked,
        {key}
    from seen_before
),

placed as (
    select
        file_number,
        file_row_number,
        is_checked,
        row_number() over (partition by {within} order by file_number, file_row_number) as place
    from candidates
),

looked_at as (
    select
        c.file_number,
        c.file_row_number,
        coalesce((b.since is null or c.recorded_at >= b.since) and c.recorded_at < b.until, true) as recorded_in_month,
        r.file_number is null as key_occurs_once,
        {columns}
    from ({rows}) as c
    inner join bounds as b on b.file_number = c.file_number
    left join (select file_number, file_row_number from placed where is_checked and place > 1) as r
        on r.file_number = c.file_number and r.file_row_number = c.file_row_number
)

select *
from looked_at
where {suspicious}
order by file_number, file_row_number
