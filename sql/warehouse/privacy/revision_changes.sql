-- What revisions changed of a customer. One row: a revision that moved them far enough to name them.
-- Parameters: customer.

select c.publication_id, c.replaced_id, m.move
from ops.revision_changes as c
cross join lateral jsonb_array_elements(c.difference -> 'moves') as m (move)
where m.move ->> 'customer_id' = :customer
