-- Keeps a channel unused for some time. One row: the channel.
-- Parameters: channel, seconds.

update ops.action_channels
set next_free_at = greatest(next_free_at, clock_timestamp() + make_interval(secs => :seconds))
where channel = :channel
