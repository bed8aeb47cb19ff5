-- optional
-- One row is a rating of the customer by a public body or an agency, in force from valid_from to valid_to.
create table social_credit_ratings (
    customer_id text not null,
    rating text not null,
    valid_from date not null,
    valid_to date, -- null: until the next one
    recorded_at timestamptz not null,
    constraint social_credit_ratings_key primary key (customer_id, valid_from, recorded_at),
    constraint social_credit_ratings_customer_exists foreign key (customer_id) references customers (customer_id),
    constraint social_credit_ratings_rating_is_known check (
        rating in ('AAA', 'AA', 'A', 'BBB', 'BB', 'B', 'CCC', 'CC', 'C', 'D')
    ),
    constraint social_credit_ratings_ends_after_start check (valid_to >= valid_from)
);
