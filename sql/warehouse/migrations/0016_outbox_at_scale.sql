-- The outbox in months of a million actions: every column that refers to another table has an index, a change of many
-- actions is recorded in one pass, and batches of what is to be approved or withdrawn are found by an index. Runs once.
-- Reads nothing.

-- Without these, deleting a row of the table that is referred to reads the other one from end to end.
create index service_actions_by_publication on ops.service_actions (publication_id);
create index outage_notices_by_action on ops.outage_notices (action_id);
create index receivables_by_publication on ops.receivables (publication_id);
create index service_levels_by_publication on ops.service_levels (publication_id);
create index arrears_reconciliation_by_publication on ops.arrears_reconciliation (publication_id);
create index arrears_differences_by_publication on ops.arrears_differences (publication_id);
create index revision_changes_by_replaced on ops.revision_changes (replaced_id);
create index publications_by_previous on ops.publications (previous_publication_id);
create index model_promotions_by_version on rating.model_promotions (version);
create index model_monitoring_by_version on rating.model_monitoring (version);
create index shadow_grades_by_champion on rating.shadow_grades (champion);
create index shadow_grades_by_challenger on rating.shadow_grades (challenger);

-- ops.service_actions ------------------------------------------------------------------------------------------------

-- service_actions_queue_by_type begins with the same two columns.
drop index ops.service_actions_undecided;

create index service_actions_to_approve on ops.service_actions (action_type, action_id)
where status = 'proposed' and run_kind = 'scheduled';

create index service_actions_to_expire on ops.service_actions (expires_at)
where status = 'proposed' and expires_at is not null;

alter table ops.service_actions add column still_due_in date;

comment on column ops.service_actions.still_due_in is 'First day of a later rating month that still had it due, brought up to date once a year, where somebody had acted on it: as long as a month has it due it is kept, or it would be decided and done again.';

-- The history ----------------------------------------------------------------------------------------------------------

-- PostgreSQL plans a statement of a function once a session. Planned for the change of one action it compares every row
-- before with every row after; that takes hours where the next change is of many. Planned each time it does not.
create or replace function ops.record_service_action_events() returns trigger language plpgsql as $$
declare
    actor text := coalesce(nullif(current_setting('gridgrade.actor', true), ''), current_user);
    remark text := nullif(current_setting('gridgrade.note', true), '');
begin
    if tg_op = 'INSERT' then
        insert into ops.service_action_events (action_id, status, changed_by, note)
        select n.action_id, n.status, actor, coalesce(remark, ops.status_note(n))
        from written as n
        order by n.action_id;
    else
        execute
            'insert into ops.service_action_events (action_id, status, changed_by, note) '
            'select n.action_id, n.status, $1, coalesce($2, ops.status_note(n)) '
            'from written as n '
            'inner join replaced as o on o.action_id = n.action_id '
            'where o.status <> n.status '
            'order by n.action_id'
        using actor, remark;
    end if;
    return null;
end
$$;

create or replace function ops.follow_payment() returns trigger language plpgsql as $$
begin
    execute
        'update ops.arrears_rebates as r '
        'set is_paid = ops.is_sent(n.status) '
        'from written as n '
        'inner join replaced as o on o.action_id = n.action_id '
        'where ops.is_sent(o.status) <> ops.is_sent(n.status) and r.action_id = n.action_id';
    return null;
end
$$;

-- ops.service_action_events: read by time when old ones are removed -----------------------------------------------------

create index service_action_events_by_time on ops.service_action_events using brin (changed_at);
