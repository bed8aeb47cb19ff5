-- How many rows of a partition fail something of the contract, and how many name what need not be there.
-- One row: failing, named_nothing.
-- Fragments: facts (a file), sound (what holds of each row), key, earlier (rows of the months before),
-- references (queries of the places of rows that refer to nothing), named_nothing (a count).
with fresh as (
    select *, file_row_number as place
    from read_parquet({facts}, file_row_number = true)
),

failing as (
    select place
    from fresh
    where not ({sound})
    union all
    select f.place
    from fresh as f
    inner join (select {key}, min(place) as first from fresh group by {key} having count(*) > 1) as d using ({key})
    where f.place > d.first
    {earlier}
    {references}
)

select
    (select count(distinct place) from failing) as failing,
    {named_nothing} as named_nothing
