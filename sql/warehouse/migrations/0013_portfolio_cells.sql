-- What reports and the console count of a revision, kept with it, so that a page does not read a month's customers.
-- Whether a rebate was paid, kept in the ledger, so that its sums need not look up a million actions. Runs once. Reads
-- the rows of all revisions that are kept, and the ledger.

-- rating.portfolio_cells: customers of a revision by what tells them apart ---------------------------------------------

create table rating.portfolio_cells (
    publication_id uuid not null references ops.publications deferrable initially deferred,
    segment text not null,
    region text,
    rating_basis text not null,
    previous_grade text,
    grade text not null,
    notch_change integer,
    customers bigint not null check (customers > 0),
    score double precision not null,
    expected_defaults double precision not null,
    exposure numeric,
    expected_loss double precision
);

create index portfolio_cells_by_publication on rating.portfolio_cells (publication_id);

comment on table rating.portfolio_cells is 'One row a revision of a month, segment, region, basis of rating, grade before and grade now: customers, and sums over them.';
comment on column rating.portfolio_cells.publication_id is 'Revision of the month in ops.publications.';
comment on column rating.portfolio_cells.segment is 'Segment of the customers.';
comment on column rating.portfolio_cells.region is 'Region of the customers at the cut-off.';
comment on column rating.portfolio_cells.rating_basis is 'What set the grade.';
comment on column rating.portfolio_cells.previous_grade is 'Grade published last for the customers; null where there was none.';
comment on column rating.portfolio_cells.grade is 'Grade on the policy''s scale.';
comment on column rating.portfolio_cells.notch_change is 'Grades up (positive) or down (negative) against the previous one.';
comment on column rating.portfolio_cells.customers is 'Customers.';
comment on column rating.portfolio_cells.score is 'Sum of their scores.';
comment on column rating.portfolio_cells.expected_defaults is 'Sum of their default probabilities.';
comment on column rating.portfolio_cells.exposure is 'What they were billed in 12 months; null where none of them has a group.';
comment on column rating.portfolio_cells.expected_loss is 'Sum of default probability times what was billed in 12 months.';

do $$
declare
    kept record;
begin
    for kept in
        select p.publication_id, to_char(p.rating_month, 'YYYY_MM') || '_r' || p.revision as revision
        from ops.publications as p
        order by p.rating_month, p.revision
    loop
        if to_regclass('rating.credit_grades_' || kept.revision) is not null then
            execute format(
                'insert into rating.portfolio_cells select %L, g.segment, g.region, g.rating_basis, g.previous_grade, '
                'g.grade, g.notch_change, count(*), sum(g.score), sum(g.default_probability), sum(u.revenue), '
                'sum(g.default_probability * u.revenue) from rating.%I as g '
                'left join %s as u on u.customer_id = g.customer_id and u.publication_id = g.publication_id '
                'group by 2, 3, 4, 5, 6, 7',
                kept.publication_id, 'credit_grades_' || kept.revision,
                -- A revision of before there were groups has no table of them.
                coalesce(cast(to_regclass('rating.customer_groups_' || kept.revision) as text), 'rating.customer_groups')
            );
        end if;
    end loop;
end
$$;

-- ops.arrears_rebates: is_paid -----------------------------------------------------------------------------------------

alter table ops.arrears_rebates add column is_paid boolean not null default false;

comment on column ops.arrears_rebates.is_paid is 'Whether the action that grants the rebate was sent. Follows the action by itself.';

create index arrears_rebates_by_action on ops.arrears_rebates (action_id) where action_id is not null;

create function ops.is_sent(status text) returns boolean language sql immutable as $$
    select status in ('dispatched', 'acknowledged')
$$;

update ops.arrears_rebates as r
set is_paid = true
from ops.service_actions as a
where a.action_id = r.action_id and ops.is_sent(a.status);

-- A ledger row that comes to an action is paid where the action was sent before.
create function ops.look_up_payment() returns trigger language plpgsql as $$
begin
    new.is_paid := exists (select from ops.service_actions as a where a.action_id = new.action_id and ops.is_sent(a.status));
    return new;
end
$$;

create trigger look_up_payment before insert or update of action_id on ops.arrears_rebates
for each row execute function ops.look_up_payment();

create function ops.follow_payment() returns trigger language plpgsql as $$
begin
    update ops.arrears_rebates as r
    set is_paid = ops.is_sent(n.status)
    from written as n
    inner join replaced as o on o.action_id = n.action_id
    where ops.is_sent(o.status) <> ops.is_sent(n.status) and r.action_id = n.action_id;
    return null;
end
$$;

create trigger follow_payment after update on ops.service_actions
referencing old table as replaced new table as written
for each statement execute function ops.follow_payment();
