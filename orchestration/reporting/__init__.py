"""The report of a run: one HTML page that says what happened and why people are not in an audience."""
