-- One row a status: how many actions of a month have it, counted no further than most.
-- Reads ops.service_actions. Parameters: statuses; month, action_type (null: any type); most.

select
    w.status,
    (
        select count(*)
        from (
            select
            from ops.service_actions as s
            where s.status = w.status
                and (cast(:action_type as text) is null or s.action_type = :action_type)
                and s.rating_month = :month
            limit :most
        ) as counted
    ) as actions
from unnest(cast(:statuses as text[])) as w (status)
