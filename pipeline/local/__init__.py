"""What exists on this machine only: embedded PostgreSQL, a local Airflow, the demo."""
