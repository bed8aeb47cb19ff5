-- The temporary table of the actions being decided; it goes with the transaction.
-- One row: an action. place numbers the rows. action_id is null until it has been made from type and reference, and
-- reference is null where it came with the action. payload is JSON that is not parsed yet.

create temporary table if not exists decided (
    place bigint generated always as identity,
    action_type text not null,
    reference text[],
    action_id uuid,
    customer_id text,
    reason text,
    payload text,
    priority smallint,
    blocked_by text,
    follows uuid,
    due_at timestamptz,
    expires_at timestamptz
) on commit drop
