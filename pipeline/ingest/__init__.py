"""From the billing system into the lake: ``extract`` copies records, ``validate`` puts invalid rows in quarantine."""
