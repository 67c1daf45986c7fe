"""Dagster wiring, the command line, and the two rooms that run without Dagster: landing and activation."""
