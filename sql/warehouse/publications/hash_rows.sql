-- Rows of a table, counted and hashed, whatever their order. One row: rows, hash.
-- PostgreSQL keeps the values of these hashes from version to version, because partitions by hash stand on them. That of
-- a record is a plain sum over its columns: hashed once more, rows that exchange a value do not add up to the same.
-- Fragments: columns, rows (a table of rating, or some of its rows).

select
    count(*) as rows,
    cast(coalesce(sum(hashint8extended(hash_record_extended(row({columns}), 0), 0)), 0) as text) as hash
from rating.{rows}
