-- A measure as actions. One row: a row of measured; whatever it holds beside these columns is the payload.

select
    array[m.customer_id, m.subject] as reference,
    m.customer_id,
    m.reason,
    m.blocked_by,
    to_jsonb(m) - array['customer_id', 'subject', 'reason', 'blocked_by'] as payload
from measured as m
