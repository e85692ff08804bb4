"""How much a Unigram model, trained on a text, needs each token of a vocabulary."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path

LONGEST = 64  # letters of a token that can be scored: longer ones are runs of spaces and rules of dashes
BREAKS = frozenset("\t\n\r\0 ▅")  # what a line of word, tab and count cannot hold, and the letter that SentencePiece keeps for itself


def learned(words: Mapping[str, int], tokens: Mapping[str, int], size: int) -> dict[str, float]:
    """Token → its log-probability under a Unigram model of about `size` pieces; tokens that the model gave up are not in it.

    Args:
        words: word → how often it occurs, in the alphabet of the tokens.
        tokens: token → how often it occurs in the words; 0 leaves it out.
        size: how many pieces the model shall keep.

    SentencePiece trains it (Kudo 2018, arXiv 1804.10959) with these tokens, and no other string, as seeds. Seeds of its own would leave most
    tokens without a score: of 16 000 pieces learned freely on English and Russian novels only 4 445 are tokens of Llama-2. The
    `tokenizers` library takes no seeds, needs eight times as long, and its log-probabilities differ from run to run.
    """
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    lines = {word: count for word, count in words.items() if not set(word) & BREAKS}
    found = [(token, count) for token, count in tokens.items() if count and 1 < len(token) <= LONGEST and not set(token) & BREAKS]
    seeds = sorted(found, key=lambda item: (-item[1] * len(item[0]), item[0]))  # by letters covered, as SentencePiece orders its own
    letters = {letter for word in lines for letter in word}
    if not seeds or not lines:
        return {}
    written = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seeds.tsv"
        file.write_text("".join(f"{token}\t{count}\n" for token, count in seeds), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([f"{word}\t{count}" for word, count in sorted(lines.items())]), model_writer=written, input_format="tsv",
            model_type="unigram", vocab_size=max(size, len(letters) + 2), seed_sentencepieces_file=str(file), hard_vocab_limit=False,
            normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False, split_by_whitespace=False,
            split_by_unicode_script=False, split_by_number=False, max_sentencepiece_length=LONGEST, max_sentence_length=1 << 20,
            character_coverage=1.0, bos_id=-1, eos_id=-1, unk_piece=" unk", num_threads=1, minloglevel=2,
        )  # fmt: skip
    model = sentencepiece_model_pb2.ModelProto.FromString(written.getvalue())
    return {piece.piece: piece.score for piece in model.pieces if piece.type == 1}
