-- One row a revision of a month: what it was made from, when readers saw it, and whether it is stale.
-- Reads ops.publications.

select
    p.rating_month,
    p.revision,
    p.basis,
    p.rows as customers,
    p.published_at,
    p.superseded_at,
    p.superseded_at is null as is_current,
    p.stale_since,
    p.published_by,
    p.run_kind,
    p.run_id,
    p.known_in,
    p.moved,
    p.moves_accepted,
    (
        select string_agg(v.key || ' ' || v.value, ', ' order by v.key)
        from json_each_text(p.model_versions) as v
    ) as model_versions,
    p.model_sha256,
    p.code_sha256,
    p.overrides_sha256,
    p.model_decision,
    p.policy_sha256,
    p.input_sha256,
    p.content_sha256,
    p.rows_removed_at
from ops.publications as p
