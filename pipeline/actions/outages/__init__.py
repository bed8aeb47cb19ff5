"""Planned outages: notices, amendments, negotiations, and escalations of trouble reports."""
