"""What people bring in: receipts of registries, verdicts on what was held, records joined or parted by hand."""
