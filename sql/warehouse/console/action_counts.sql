-- One row a status: how many actions of the outbox have it, counted no further than most, so that an outbox of years
-- costs what one of days does.
-- Reads ops.service_actions. Parameters: statuses; action_type (null: any); most.

select
    w.status,
    (
        select count(*)
        from (
            select
            from ops.service_actions as s
            where s.status = w.status
                and (cast(:action_type as text) is null or s.action_type = :action_type)
            -- In the order of the queue's index, or a status that nothing has would be looked for in the whole table.
            order by coalesce(s.priority, 9), coalesce(s.due_at, 'infinity'), s.action_id
            limit :most
        ) as counted
    ) as actions
from unnest(cast(:statuses as text[])) as w (status)
