-- The outbox learns to send: channels, attempts and leases, who approved or denied, and a record of every change.
-- Rebates know what was earned before the campaign's budget, and what was received in its window.

alter table ops.service_actions
    add column run_kind text check (run_kind in ('scheduled', 'manual', 'backfill', 'command')),
    add column priority smallint check (priority between 1 and 9),
    add column follows uuid references ops.service_actions,
    add column due_at timestamptz,
    add column expires_at timestamptz,
    add column suppressed_by text
        check (suppressed_by in ('publication', 'withdrawal', 'denial', 'expiry', 'followed')),
    add column channel text check (channel in ('queue', 'webhook', 'email')),
    add column next_attempt_at timestamptz,
    add column leased_until timestamptz,
    add column last_error text,
    add column acknowledged_by text;

update ops.service_actions as s
set run_kind = p.run_kind
from ops.publications as p
where p.publication_id = s.publication_id;

update ops.service_actions
set suppressed_by = case when reason like 'no longer due%' then 'withdrawal' else 'publication' end
where status = 'suppressed';

create index service_actions_to_send on ops.service_actions (channel, priority, approved_at, action_id)
where status = 'approved';

create index service_actions_undecided on ops.service_actions (action_type) where status = 'proposed';

create index service_actions_by_followed on ops.service_actions (follows) where follows is not null;

comment on column ops.service_actions.status is 'proposed, approved, dispatched, acknowledged, blocked, suppressed (not to be sent) or failed.';
comment on column ops.service_actions.attempts is 'How often its channel has been tried.';
comment on column ops.service_actions.run_kind is 'Kind of the run that decided it; only scheduled ones go out without a person.';
comment on column ops.service_actions.priority is '1 goes first, 9 last; null: the policy''s, set with the approval.';
comment on column ops.service_actions.follows is 'The action it takes back or amends; it goes out only after that one.';
comment on column ops.service_actions.due_at is 'By when it should be done; null: the policy''s, set with the approval.';
comment on column ops.service_actions.expires_at is 'From when on it makes no sense to send it.';
comment on column ops.service_actions.suppressed_by is 'Why it is suppressed: the publication it follows from, a withdrawal, a denial, its expiry, or the action it follows.';
comment on column ops.service_actions.channel is 'Channel that sends it: queue, webhook or email.';
comment on column ops.service_actions.next_attempt_at is 'When it is tried again.';
comment on column ops.service_actions.leased_until is 'A dispatcher is sending it; past this instant that dispatcher is taken for dead.';
comment on column ops.service_actions.last_error is 'Why the last attempt failed.';
comment on column ops.service_actions.acknowledged_by is 'Who said it was done.';

-- ops.service_action_events: one row a change of an action's status ---------------------------------------------------

create table ops.service_action_events (
    event_id bigint generated always as identity primary key,
    action_id uuid not null, -- no reference: the record outlives the row
    status text not null,
    changed_by text not null,
    note text,
    changed_at timestamptz not null default now()
);

create index service_action_events_by_action on ops.service_action_events (action_id, event_id);

comment on table ops.service_action_events is 'One row a change of an action''s status, written by the table itself: nothing goes past it.';
comment on column ops.service_action_events.event_id is 'In the order of the changes.';
comment on column ops.service_action_events.action_id is 'The action.';
comment on column ops.service_action_events.status is 'Its status from then on.';
comment on column ops.service_action_events.changed_by is 'Who: a person, policy, decision, dispatcher, or the role that wrote to the table.';
comment on column ops.service_action_events.note is 'Why, where there is more to say.';
comment on column ops.service_action_events.changed_at is 'When.';

-- Why an action has the status it has.
create function ops.status_note(action ops.service_actions) returns text language sql immutable as $$
    select case action.status
        when 'blocked' then action.blocked_by
        when 'suppressed' then action.suppressed_by
        when 'failed' then action.last_error
        when 'dispatched' then action.channel
    end
$$;

-- Who writes says so for its transaction: set_config('gridgrade.actor', ..., true), and why: 'gridgrade.note'.
create function ops.record_service_action_events() returns trigger language plpgsql as $$
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
        insert into ops.service_action_events (action_id, status, changed_by, note)
        select n.action_id, n.status, actor, coalesce(remark, ops.status_note(n))
        from written as n
        inner join replaced as o on o.action_id = n.action_id
        where o.status <> n.status
        order by n.action_id;
    end if;
    return null;
end
$$;

create trigger record_new after insert on ops.service_actions
referencing new table as written
for each statement execute function ops.record_service_action_events();

create trigger record_changed after update on ops.service_actions
referencing old table as replaced new table as written
for each statement execute function ops.record_service_action_events();

-- ops.action_channels: one row a channel that sends, for all dispatchers together --------------------------------------

create table ops.action_channels (
    channel text primary key check (channel in ('webhook', 'email')),
    next_free_at timestamptz not null default now()
);

insert into ops.action_channels (channel) values ('webhook'), ('email');

comment on table ops.action_channels is 'One row a channel that sends: dispatchers share its rate and its rests.';
comment on column ops.action_channels.channel is 'Channel.';
comment on column ops.action_channels.next_free_at is 'When the next message may be sent.';

-- ops.arrears_rebates ------------------------------------------------------------------------------------------------

alter table ops.arrears_rebates
    add column received numeric(18, 2),
    add column earned numeric(18, 2);

update ops.arrears_rebates set earned = rebate;

alter table ops.arrears_rebates
    alter earned set not null,
    add check (rebate <= earned);

comment on column ops.arrears_rebates.received is 'All that the customer paid within the campaign, less what was taken back in it; null: not computed then.';
comment on column ops.arrears_rebates.earned is 'Credit by share, rate and cap, before the campaign''s budget.';
comment on column ops.arrears_rebates.rebate is 'Of that, granted within the budget.';
