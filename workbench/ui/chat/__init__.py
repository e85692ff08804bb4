"""The sections of the Chat page."""
