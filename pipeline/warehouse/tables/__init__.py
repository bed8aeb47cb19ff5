"""Tables of the warehouse that one step each writes, beside what a month publishes."""
