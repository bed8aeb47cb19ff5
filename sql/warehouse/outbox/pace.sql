-- Keeps a channel free of further messages, as long as one takes by its rate. One row: the channel.
-- Parameters: channel, per_minute.

update ops.action_channels
set next_free_at = greatest(next_free_at, clock_timestamp()) + make_interval(secs => 60.0 / :per_minute)
where channel = :channel
