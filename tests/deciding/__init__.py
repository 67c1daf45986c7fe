"""Tests of what-if: the case format, and the answers of the models."""
