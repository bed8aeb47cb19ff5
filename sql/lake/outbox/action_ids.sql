-- Actions with their ids, made from their names: a UUIDv5, the first 16 bytes of a SHA-1 with version and variant in
-- their places.
-- One row per row of names: action_id (16 bytes), and what the row holds beside its name.
-- Parameters: namespace (the UUID of the namespace, as 32 hex digits).
-- Fragments: names (a table or a query; name is one of its columns).

select
    unhex(
        substr(sha, 1, 12)
        || '5'
        || substr(sha, 14, 3)
        || substr('89ab', (strpos('0123456789abcdef', substr(sha, 17, 1)) - 1) % 4 + 1, 1)
        || substr(sha, 18, 15)
    ) as action_id,
    hashed.* exclude (name, sha)
from (
    select
        n.*,
        sha1(unhex(:namespace) || encode(n.name)) as sha
    from {names} as n
) as hashed
