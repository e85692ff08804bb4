"""A SentencePiece model (BPE or Unigram, with or without byte fallback) as a `tokenizers.Tokenizer` that gives the same ids."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from .alphabet import MARK
from .merges import merges_of
from .verify import same_ids

if TYPE_CHECKING:
    import tokenizers

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5
UNIGRAM, BPE = 1, 2


def convert(path: Path) -> tuple[tokenizers.Tokenizer, dict[str, str]]:
    """The tokenizer and its roles, {"bos_token": "<s>", …}. A BOS the model has is put before every text, as Llama and Mistral do.

    Control symbols become special tokens: unlike SentencePiece, which never reads them from text, the result recognises them there.
    Raises WorkbenchError for a file that is no SentencePiece model, for kinds other than BPE and Unigram, and where the ids differ.
    """
    import tokenizers

    proto = read(path)
    kind = proto.trainer_spec.model_type
    if kind not in (UNIGRAM, BPE):
        raise WorkbenchError(f"{path} is a SentencePiece model of words or characters; give one of kind BPE or Unigram.")
    if proto.trainer_spec.treat_whitespace_as_suffix or any(p.type == UNUSED for p in proto.pieces):
        raise WorkbenchError(f"{path} uses suffix spaces or unused pieces, which tokenizer.json cannot express; give the tokenizer.json of its authors.")
    backend = tokenizers.Tokenizer(_bpe(proto) if kind == BPE else _unigram(proto))
    symbols = [p.piece for p in proto.pieces if p.type == USER_DEFINED]
    backend.normalizer = _normalizer(proto.normalizer_spec, symbols)
    backend.decoder = _decoder(proto.normalizer_spec)
    backend.add_special_tokens([tokenizers.AddedToken(p.piece, normalized=False, special=True) for p in proto.pieces if p.type in (UNKNOWN, CONTROL)])
    backend.add_tokens([tokenizers.AddedToken(s, normalized=True, special=False) for s in symbols])
    roles = _roles(proto)
    if bos := roles.get("bos_token"):
        backend.post_processor = tokenizers.processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, backend.token_to_id(bos))]
        )
    _check(backend, proto, symbols)
    return backend, roles


def read(path: Path) -> Any:
    """The parsed model file (a protobuf ModelProto). Raises WorkbenchError where it is none."""
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except DecodeError:
        proto.Clear()
    if not proto.pieces:
        raise WorkbenchError(f"{path} cannot be read as a SentencePiece model; check that the file is whole, and name a rank file *.tiktoken.")
    return proto


def _bpe(proto: Any) -> Any:
    from tokenizers.models import BPE as Model

    # The highest score merges first. Runs of spaces share one score in Llama: they merge from the left, each run taking in its
    # right neighbour before the next starts, which in a list of merges means that the longer product goes first.
    pieces = [p for p in proto.pieces if p.type == NORMAL]
    place = {score: i for i, score in enumerate(sorted({p.score for p in pieces}, reverse=True))}
    merges, _ = merges_of({p.piece: place[p.score] for p in pieces})
    vocab = {p.piece: i for i, p in enumerate(proto.pieces)}
    return Model(vocab, merges, unk_token=_unknown(proto), fuse_unk=True, byte_fallback=proto.trainer_spec.byte_fallback)


def _unigram(proto: Any) -> Any:
    from tokenizers.models import Unigram as Model

    # Byte pieces have score 0 in the file; as words of a Unigram model they would win wherever a text spells one out.
    low = min(p.score for p in proto.pieces if p.type == NORMAL)
    vocab = [(p.piece, p.score if p.type in (NORMAL, USER_DEFINED) else low) for p in proto.pieces]
    return Model(vocab, proto.trainer_spec.unk_id, byte_fallback=proto.trainer_spec.byte_fallback)


def _unknown(proto: Any) -> str | None:
    return next((p.piece for p in proto.pieces if p.type == UNKNOWN), None)


def _normalizer(spec: Any, symbols: list[str]) -> Any:
    """Character map, then spaces squeezed and cut, then ▁ in front and for every space: SentencePiece's order.

    User-defined symbols are matched after all this, so the ▁ in front must not be put before a symbol when the library
    normalises the symbol itself: a text that *is* one symbol gets no ▁.
    """
    from tokenizers import Regex, normalizers

    steps = []
    if spec.precompiled_charsmap:
        steps.append(normalizers.Precompiled(spec.precompiled_charsmap))
    if spec.remove_extra_whitespaces:
        steps += [normalizers.Replace(Regex(rf"\A +|[ {MARK}]+\z"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    if spec.add_dummy_prefix and symbols:
        steps.append(normalizers.Replace(Regex(rf"\A(?!(?:{'|'.join(map(re.escape, symbols))})\z)(?=[\s\S])"), " "))
    elif spec.add_dummy_prefix:
        steps.append(normalizers.Prepend(MARK if spec.escape_whitespaces else " "))
    if spec.escape_whitespaces:
        steps.append(normalizers.Replace(" ", MARK))
    return normalizers.Sequence(steps) if steps else None


def _decoder(spec: Any) -> Any:
    from tokenizers import decoders

    steps = [decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if spec.add_dummy_prefix else steps)


def _roles(proto: Any) -> dict[str, str]:
    spec = proto.trainer_spec
    ids = {"unk_token": spec.unk_id, "bos_token": spec.bos_id, "eos_token": spec.eos_id, "pad_token": spec.pad_id}
    return {role: proto.pieces[i].piece for role, i in ids.items() if 0 <= i < len(proto.pieces)}


def _check(backend: tokenizers.Tokenizer, proto: Any, symbols: list[str]) -> None:
    import sentencepiece

    original = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
    extra = [f"a{s}b {s} c{s}{s}" for s in symbols[:3]]
    same_ids(lambda text: backend.encode(text, add_special_tokens=False).ids, original.encode, "sentencepiece", extra)
