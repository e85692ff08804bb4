"""What a tokenizer costs its user: room in the context window, steps to generate, and memory for its tables."""

from __future__ import annotations

from typing import Any

from .encoder import Encoder

Row = dict[str, Any]
WORDS, GENERATED = 1_000, 100


def consequence(row: Row, encoder: Encoder, reference: Row | None, compared: Encoder, *, context: int, width: int, weight_bytes: int, tied: bool) -> Row:
    """The consequences of one row of `measure` for a model with `context` tokens of window and vectors of `width` numbers.

    words_per_window, characters_per_window: of such text that fit into the window. window_share: what 1,000 words of it take, 1 is all.
    tokens_per_100_words: steps to generate as much. table_mb: the embedding table and, unless tied, the output table, in megabytes (10⁶ bytes).
    times_the_text: text per token over that of the reference tokenizer, so also characters per second at equal tokens per second.
    times_the_table: table size over that of the reference.
    """
    per_word, per_token = row["tokens_per_word"], row["chars_per_token"]
    tables = (1 if tied else 2) * width * weight_bytes
    other = reference["chars_per_token"] if reference else None
    return {
        "tokenizer": row["tokenizer"], "text": row["text"],
        "words_per_window": round(context / per_word) if per_word else None,
        "window_share": WORDS * per_word / context if per_word else None,
        "tokens_per_100_words": GENERATED * per_word if per_word else None,
        "times_the_text": per_token / other if per_token and other else None,
        "table_mb": encoder.rows * tables / 1e6, "times_the_table": encoder.rows / compared.rows if compared.rows else None,
        "characters_per_window": round(context * per_token) if per_token else None, "context": context, "width": width,
    }  # fmt: skip
