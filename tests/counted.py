"""Small tokenizers whose counts can be checked by hand."""

from __future__ import annotations

TEXT = ["the cat sat", "the cat ran far", "a dog"]


def words_tokenizer(vocabulary: list[str]):
    """One token per known word, [UNK] for the rest."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    built = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(["[UNK]", *vocabulary])}, unk_token="[UNK]"))
    built.pre_tokenizer = pre_tokenizers.Whitespace()
    return built


def bytes_tokenizer():
    """One token per byte; a word after a space takes its space with it."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    built = Tokenizer(models.BPE({c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return built


def fallback_tokenizer():
    """Letters of English, the rest by byte-fallback pieces."""
    from tokenizers import Tokenizer, models

    pieces = ["<unk>", *(f"<0x{n:02X}>" for n in range(256)), *"abcdefghijklmnopqrstuvwxyz "]
    return Tokenizer(models.BPE({p: i for i, p in enumerate(pieces)}, [], unk_token="<unk>", byte_fallback=True))


def row(found, **where):
    (only,) = [r for r in found.rows if all(r[k] == v for k, v in where.items())]
    return only
