-- How many seconds a channel still rests; locks it until the transaction ends. One row: the channel.
-- Parameters: channel.

select extract(epoch from greatest(next_free_at - clock_timestamp(), interval '0'))
from ops.action_channels
where channel = :channel
for update
