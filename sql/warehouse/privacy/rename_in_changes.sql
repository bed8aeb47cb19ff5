-- Gives customers a pseudonym in what revisions changed. One row: a revision that moved one of them.
-- Parameters: customers, pseudonyms (one of each, in the same order).

update ops.revision_changes as c
set difference = jsonb_set(c.difference, array['moves'], (
    select jsonb_agg(
        case when e.pseudonym is null then m.move else m.move || jsonb_build_object('customer_id', e.pseudonym) end
        order by m.place
    )
    from jsonb_array_elements(c.difference -> 'moves') with ordinality as m (move, place)
    left join unnest(cast(:customers as text[]), cast(:pseudonyms as text[])) as e (customer_id, pseudonym)
        on e.customer_id = m.move ->> 'customer_id'
))
where exists (
    select from jsonb_array_elements(c.difference -> 'moves') as m (move)
    where m.move ->> 'customer_id' = any(:customers)
)
