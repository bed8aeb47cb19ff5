"""From the billing system into the lake: extract copies records, validate sets aside those that cannot be right."""
