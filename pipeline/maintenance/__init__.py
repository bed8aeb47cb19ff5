"""What operators run beside the monthly cycle: backfill, retention, doctor, data dictionary."""
