"""The parts of the Spaces page."""
