-- The rows of a table, counted and hashed, whatever their order. One row: rows, hash.
-- PostgreSQL keeps the values of this hash from version to version, because its partitions by hash stand on them.
-- Fragments: columns, table (its name in rating).

select
    count(*) as rows,
    cast(coalesce(sum(hash_record_extended(row({columns}), 0)), 0) as text) as hash
from rating.{table}
