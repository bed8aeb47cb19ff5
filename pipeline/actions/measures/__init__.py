"""Which customer gets which service measure in a month, and why."""
