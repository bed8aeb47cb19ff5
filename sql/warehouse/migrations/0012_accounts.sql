-- What a rating knows of a customer's records in quarantine, and which grade rules hold. Runs once. Reads nothing.

-- rating.credit_grades: rules in force, records in quarantine ---------------------------------------------------------

alter table rating.credit_grades
    add column rules_in_force text,
    add column quarantined_records bigint;

comment on column rating.credit_grades.previous_grade is 'Grade published last for the customer, months that were skipped aside; null where there was none in the last published month.';
comment on column rating.credit_grades.rules_in_force is 'Grade rules that hold of the customer, whether or not they changed the grade, each with the day that its memory runs from where there is one: theft=2026-05-14;unpaid_balance. Null: none, or published before this was recorded.';
comment on column rating.credit_grades.quarantined_records is 'Records of the customer that were in quarantine and left out. Null: published before this was recorded.';
comment on column ops.publications.previous_publication_id is 'Publication of the last published month before, whose grades it took over; null where there was none.';

-- ops.receivables: money booked later --------------------------------------------------------------------------------

alter table ops.receivables
    add column billed_booked_later numeric(18, 2) not null default 0,
    add column collected_booked_later numeric(18, 2) not null default 0;

comment on column ops.receivables.billed is 'Amounts of the bills issued in the month, less those of bills cancelled in it.';
comment on column ops.receivables.billed_booked_later is 'The same of earlier months, where it was recorded only in this one.';
comment on column ops.receivables.collected_booked_later is 'Payments made in earlier months, less what was taken back in them, where they were recorded only in this one.';

-- ops.arrears_reconciliation: one row a month, segment and outcome -----------------------------------------------------

create table ops.arrears_reconciliation (
    rating_month date not null,
    segment text not null,
    outcome text not null check (outcome in ('agree', 'differ', 'bills_only', 'register_only')),
    customers bigint not null check (customers > 0),
    overdue_by_bills numeric(18, 2) not null,
    overdue_by_register numeric(18, 2) not null,
    difference numeric(18, 2) not null check (difference >= 0),
    publication_id uuid not null references ops.publications,
    primary key (rating_month, segment, outcome)
);

comment on table ops.arrears_reconciliation is 'One row a rating month, segment and outcome: what is overdue by the bills, against the arrears register.';
comment on column ops.arrears_reconciliation.rating_month is 'First day of the rating month.';
comment on column ops.arrears_reconciliation.segment is 'Segment, as at the end of the month; empty where the customer is not known.';
comment on column ops.arrears_reconciliation.outcome is 'agree (no further apart than the settlement tolerance), differ, bills_only or register_only.';
comment on column ops.arrears_reconciliation.customers is 'Customers of whom either side says that something is overdue.';
comment on column ops.arrears_reconciliation.overdue_by_bills is 'What bills due before the end of the month lack.';
comment on column ops.arrears_reconciliation.overdue_by_register is 'What the arrears register says is overdue.';
comment on column ops.arrears_reconciliation.difference is 'By how much the two are apart, customer by customer.';
comment on column ops.arrears_reconciliation.publication_id is 'Publication whose records these are.';

-- ops.arrears_differences: one row a month and customer ----------------------------------------------------------------

create table ops.arrears_differences (
    rating_month date not null,
    customer_id text not null,
    segment text not null,
    outcome text not null check (outcome in ('differ', 'bills_only', 'register_only')),
    overdue_by_bills numeric(18, 2) not null,
    overdue_by_register numeric(18, 2) not null,
    publication_id uuid not null references ops.publications,
    primary key (rating_month, customer_id)
);

comment on table ops.arrears_differences is 'One row a rating month and customer of whom the bills and the arrears register say different things.';
comment on column ops.arrears_differences.rating_month is 'First day of the rating month.';
comment on column ops.arrears_differences.customer_id is 'Customer.';
comment on column ops.arrears_differences.segment is 'Segment, as at the end of the month; empty where the customer is not known.';
comment on column ops.arrears_differences.outcome is 'differ, bills_only or register_only.';
comment on column ops.arrears_differences.overdue_by_bills is 'What bills due before the end of the month lack.';
comment on column ops.arrears_differences.overdue_by_register is 'What the arrears register says is overdue.';
comment on column ops.arrears_differences.publication_id is 'Publication whose records these are.';

-- ops.arrears_rebates: what payments booked later add ------------------------------------------------------------------

alter table ops.arrears_rebates
    add column terms jsonb,
    add column late_rebate numeric(18, 2) not null default 0 check (late_rebate >= 0);
alter table ops.arrears_rebates drop constraint arrears_rebates_check;
alter table ops.arrears_rebates add constraint arrears_rebates_clawback_within_rebate
check (clawback between 0 and rebate + late_rebate);

comment on column ops.arrears_rebates.terms is 'Terms that the campaign was held by. Null: computed before they were recorded here; the action has them.';
comment on column ops.arrears_rebates.late_rebate is 'Added to the rebate for payments made within the campaign that became known after it.';
