-- Gives customers a pseudonym. One row: a row of theirs.
-- Parameters: customers, pseudonyms (one of each, in the same order).
-- Fragments: table (with its schema).

update {table} as t
set customer_id = e.pseudonym
from unnest(cast(:customers as text[]), cast(:pseudonyms as text[])) as e (customer_id, pseudonym)
where t.customer_id = e.customer_id
