-- optional
-- One row is a customer's answer on one dimension of a satisfaction survey. Never an input of the credit score.
create table satisfaction_surveys (
    survey_id text not null,
    customer_id text not null,
    surveyed_on date not null,
    dimension text not null, -- what was asked about: reliability, billing, contact ...
    expectation integer not null, -- 1 low ... 10 high, as the next two
    perception integer not null,
    satisfaction integer not null,
    recorded_at timestamptz not null,
    constraint satisfaction_surveys_key primary key (survey_id),
    constraint satisfaction_surveys_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint satisfaction_surveys_surveyed_before_recorded check (surveyed_on <= recorded_at::date),
    constraint satisfaction_surveys_expectation_in_range check (expectation between 1 and 10),
    constraint satisfaction_surveys_perception_in_range check (perception between 1 and 10),
    constraint satisfaction_surveys_satisfaction_in_range check (satisfaction between 1 and 10)
);
