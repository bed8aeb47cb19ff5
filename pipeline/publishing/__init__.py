"""Publication of a month: stage, audit, swap; what it follows from, and how it differs from the one before."""
