-- The policy's action types as rows, a from item. One row: an action type.
-- Parameters: types (JSON, an array of objects).

jsonb_to_recordset(cast(:types as jsonb)) as t (
    action_type text, approval text, priority smallint, channels jsonb, due_hours float8, expires_hours float8
)
