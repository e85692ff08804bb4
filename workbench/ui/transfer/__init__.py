"""The sections of the Transfer page."""
