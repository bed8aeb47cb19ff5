-- The temporary table of what one call of propose decides; it goes with the transaction.
-- One row: an action. action_id is null until it has been made from type and reference; place numbers the rows.

create temporary table if not exists decided (
    place bigint,
    reference text[] not null,
    action_id uuid,
    customer_id text,
    reason text,
    payload jsonb,
    priority smallint,
    blocked_by text,
    follows uuid,
    due_at timestamptz,
    expires_at timestamptz
) on commit drop
