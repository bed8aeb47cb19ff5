"""What operators run beside the monthly cycle: backfill, retention, doctor, profile page, data dictionary."""
