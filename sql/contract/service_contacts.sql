-- optional
-- One row is a customer getting in touch. Never an input of the credit score.
create table service_contacts (
    contact_id text not null,
    customer_id text not null,
    contact_type text not null,
    contacted_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint service_contacts_key primary key (contact_id),
    constraint service_contacts_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint service_contacts_type_is_known check (
        contact_type in ('outage_report', 'voltage_complaint', 'complaint', 'enquiry')
    ),
    constraint service_contacts_contacted_before_recorded check (contacted_at <= recorded_at)
);
