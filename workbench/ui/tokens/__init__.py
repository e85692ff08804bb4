"""The sections of the Tokenizer page."""
