-- A condition on an action s: it is one of a measure, of a month that is looked at, and not in decided any more.
-- Parameters: $1 (the action types), $2 (for each of them the first day of the first month that is looked at), $3 (the
-- first day of the last month).

exists (
    select
    from unnest(cast($1 as text[]), cast($2 as date[])) as t (action_type, since)
    where t.action_type = s.action_type and s.rating_month between t.since and $3
)
and not exists (select from decided as d where d.action_id = s.action_id)
