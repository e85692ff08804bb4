"""A WordPiece vocab.txt (BERT and its kin) as a `tokenizers.Tokenizer` that gives the ids of transformers' BertTokenizer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from .stated import added, ids, roles
from .verify import same_ids

if TYPE_CHECKING:
    import tokenizers

_ROLES = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
# Others that come with a vocab.txt cut words by a dictionary of their own (BertJapanese) or are no WordPiece (Phobert, Bertweet, Esm).
_KIN = re.compile(r"((Bert|Electra|LayoutLM|Lxmert|Reader|Encoder)Tokenizer|PreTrainedTokenizer|TokenizersBackend)(Fast)?|")


def convert(path: Path, stated: dict[str, Any]) -> tuple[tokenizers.Tokenizer, dict[str, Any]]:
    """The tokenizer of a vocab.txt, one token per line, and its settings. `stated` is what the files beside it say.

    Where do_lower_case is not stated, a vocabulary without any capital letter is taken for an uncased one. Raises WorkbenchError for a file that is
    no such list, for a tokenizer class that is no WordPiece, and where the ids differ.
    """
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers

    kind = str(stated.get("tokenizer_class") or "")
    if not (_KIN.fullmatch(kind) or kind.endswith(("BertTokenizer", "BertTokenizerFast"))):
        raise WorkbenchError(f"{path} belongs to a {kind}, which is not read here; save it as a fast tokenizer and give its tokenizer.json.")
    names = _ROLES | roles(stated)
    vocab = read(path, names["unk_token"]) | ids(stated)
    names = {role: token for role, token in names.items() if token in vocab}
    lower, strip = stated.get("do_lower_case"), stated.get("strip_accents")
    options = {
        "handle_chinese_chars": stated.get("tokenize_chinese_chars", True) is not False, "strip_accents": None if strip is None else bool(strip),
        "lowercase": _uncased(vocab, set(names.values())) if lower is None else bool(lower),
    }  # fmt: skip
    backend = tokenizers.Tokenizer(models.WordPiece(vocab, unk_token=names["unk_token"], max_input_chars_per_word=100))
    backend.normalizer = normalizers.BertNormalizer(clean_text=True, **options)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    extra = [token for token in added(stated, names.values()) if token.content in vocab]
    backend.add_special_tokens([token for token in extra if token.special])
    backend.add_tokens([token for token in extra if not token.special])
    if "cls_token" in names and "sep_token" in names:
        backend.post_processor = _template(names["cls_token"], names["sep_token"], vocab)
    _check(backend, vocab, names, options)
    return backend, names | {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}


def read(path: Path, unknown: str) -> dict[str, int]:
    """Token → line number from 0. Raises WorkbenchError where the file is not UTF-8 or lacks the unknown token."""
    try:
        lines = path.read_bytes().decode("utf-8").replace("\r\n", "\n").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise WorkbenchError(f"{path} is not UTF-8 at byte {error.start}; a WordPiece vocabulary has one token per line, in UTF-8.") from None
    vocab = {token: number for number, token in enumerate(lines)}
    if unknown not in vocab:
        raise WorkbenchError(f"{path} has no line {unknown}, as every WordPiece vocabulary has; give a vocab.txt, or the tokenizer_config.json beside it.")
    if len(vocab) < len(lines):
        twice = next(token for number, token in enumerate(lines) if vocab[token] != number)
        raise WorkbenchError(f"{path} has the token {twice!r} twice (line {lines.index(twice) + 1}); check that the file is whole.")
    return vocab


def _uncased(vocab: dict[str, int], special: set[str]) -> bool:
    return not any(token != token.lower() for token in vocab if token not in special and not re.fullmatch(r"\[[^\]]*\]", token))


def _template(start: str, end: str, vocab: dict[str, int]) -> Any:
    from tokenizers.processors import TemplateProcessing

    return TemplateProcessing(
        single=f"{start}:0 $A:0 {end}:0", pair=f"{start}:0 $A:0 {end}:0 $B:1 {end}:1", special_tokens=[(start, vocab[start]), (end, vocab[end])]
    )


def _check(backend: tokenizers.Tokenizer, vocab: dict[str, int], names: dict[str, str], options: dict[str, Any]) -> None:
    from transformers import BertTokenizer

    original = BertTokenizer(
        vocab=vocab, do_lower_case=options["lowercase"], tokenize_chinese_chars=options["handle_chinese_chars"], strip_accents=options["strip_accents"], **names
    )
    same_ids(lambda text: backend.encode(text).ids, lambda text: original(text)["input_ids"], "transformers")
