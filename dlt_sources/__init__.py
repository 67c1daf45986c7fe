"""Everything that speaks to a platform, in both directions; imports neither Dagster nor dbt."""
