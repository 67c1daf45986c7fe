"""The shape of a figure."""

from typing import NamedTuple


class Figure(NamedTuple):
    """One measured value, the reference of the same run in the same unit, and value ÷ reference."""

    name: str
    value: float
    unit: str
    reference: float
    ratio: float


def figure(name: str, value: float, unit: str, reference: float) -> Figure:
    """A figure with its ratio, rounded for reading."""
    return Figure(name, round(value, 3), unit, round(reference, 3), round(value / reference, 2))
