-- A condition on a row r of ops.inputs: no revision of the months that stay was rated from these partitions.
-- Parameters: oldest (the first day of the first of these months).

not exists (
    select
    from ops.publications as p
    where p.input_sha256 = r.input_sha256 and p.rating_month >= :oldest
)
