-- The ids of actions, from their names: a UUIDv5, the first 16 bytes of a SHA-1 with version and variant in their
-- places.
-- One row per action, by its place.
-- Reads names (place, name). Parameters: namespace (the UUID of the namespace, as 32 hex digits).

select
    place,
    concat_ws(
        '-',
        substr(sha, 1, 8),
        substr(sha, 9, 4),
        '5' || substr(sha, 14, 3),
        substr('89ab', (strpos('0123456789abcdef', substr(sha, 17, 1)) - 1) % 4 + 1, 1) || substr(sha, 18, 3),
        substr(sha, 21, 12)
    ) as action_id
from (select place, sha1(unhex(:namespace) || encode(name)) as sha from names) as hashed
