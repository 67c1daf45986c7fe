"""The landing zone: webhook requests from their receipt to the warehouse's raw tables; no Dagster here."""
