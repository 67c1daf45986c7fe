"""Benchmarks: each figure beside a reference that is measured in the same run; never part of the tests."""
