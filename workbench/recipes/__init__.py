"""Whole journeys, written as lists of steps."""

from ..lazy import names as _names

__getattr__, __dir__, __all__ = _names(__name__, run="Recipe", reading="Entry Journey load names read")
