"""Read a tokenizer from any of the usual files; write one that transformers 4 and 5 both read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from ..refs import locate
from . import stated

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast


def load(source: str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer, *, pattern: str | None = None) -> PreTrainedTokenizerFast:
    """A tokenizer from a reference (artefact id, `demo:NAME`, path, hub id), or from an object.

    A folder may hold tokenizer.json, a SentencePiece tokenizer.model, tekken.json, a *.tiktoken file, vocab.json with merges.txt (GPT-2, RoBERTa,
    Qwen2) or a WordPiece vocab.txt; each of these may also be given as a file, and is read with the configuration beside it. `pattern` says how ranks or
    merges cut text: "llama3", "qwen", "gpt2" or a regular expression; well-known sizes need none.
    Raises WorkbenchError that names the path and the fix. Never runs code that comes with a tokenizer.
    """
    import tokenizers
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

    if isinstance(source, PreTrainedTokenizerFast):
        return source
    if isinstance(source, tokenizers.Tokenizer):
        return wrap(source, {})
    if isinstance(source, PreTrainedTokenizerBase):
        raise WorkbenchError(f"{type(source).__name__} is no fast tokenizer; save it and give the folder, or give its tokenizer.json.")
    path = locate(source)
    try:
        return _from_folder(path, pattern) if path.is_dir() else _whole(path, {}) or wrap(*_from_file(path, pattern))
    except OSError as error:
        raise WorkbenchError(f"{path} cannot be read ({error.strerror}); check that it is whole and that you may read it.") from None


def save(tokenizer: PreTrainedTokenizerFast, folder: str | Path) -> Path:
    """Write tokenizer.json and tokenizer_config.json into `folder`; the same tokenizer gives the same bytes.

    The class is written as PreTrainedTokenizerFast and the chat template inside the config, which transformers 4 and 5 both read.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / "tokenizer.json").write_text(_as_json(tokenizer.backend_tokenizer), encoding="utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **settings(tokenizer)}
    cut = tokenizer.backend_tokenizer.pre_tokenizer
    if cut is not None and json.loads(cut.__getstate__()).get("add_prefix_space"):
        config["add_prefix_space"] = True  # version 4 sets the pre-tokenizer to what is stated here, and to False where nothing is
    (place / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for stale in ("chat_template.jinja", "special_tokens_map.json", "added_tokens.json"):  # each would override the config
        (place / stale).unlink(missing_ok=True)
    return place


def _as_json(backend: tokenizers.Tokenizer) -> str:
    """The library's own JSON, with merges as "l r" where that says the same: a fifth less time to load, and readable before version 0.20 of the library.

    Parts that hold a space need the pair, and the library takes a line that starts with #version for a comment.
    """
    content = json.loads(backend.to_str())
    merges = content["model"].get("merges", [])
    if not any(" " in left or " " in right or left.startswith("#version") for left, right in merges):
        content["model"]["merges"] = [f"{left} {right}" for left, right in merges]
    return json.dumps(content, ensure_ascii=False, indent=2)


def settings(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What a tokenizer has beside its tokenizer.json: roles, limits, chat template; as tokenizer_config.json writes it."""
    found = {f"{role}_token": str(token) for role in stated.ROLES if (token := getattr(tokenizer, f"{role}_token", None)) is not None}
    found |= {key: getattr(tokenizer, key) for key in stated.KEPT if getattr(tokenizer, key, None) is not None}
    if found.get("model_max_length", 0) > 10**12:  # transformers' way to say "no limit"
        found.pop("model_max_length")
    if extra := [str(t) for t in getattr(tokenizer, "extra_special_tokens", ()) or ()]:
        found["additional_special_tokens"] = extra  # version 4 reads a list only under this name, version 5 under both
    if isinstance(template := tokenizer.chat_template, dict):
        found["chat_template"] = [{"name": name, "template": text} for name, text in template.items()]
    elif template:
        found["chat_template"] = template
    return found


def wrap(backend: tokenizers.Tokenizer, *configs: dict[str, Any]) -> PreTrainedTokenizerFast:
    """The transformers tokenizer around a `tokenizers.Tokenizer` (copied), with the settings of a config, or of several where the later ones prevail."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=backend, **{key: value for config in configs for key, value in config.items()})


def _from_folder(folder: Path, pattern: str | None) -> PreTrainedTokenizerFast:
    ranks = [*sorted(folder.glob("tekken*.json")), *sorted(folder.glob("*.tiktoken"))]
    choices = [folder / "tokenizer.json", folder / "tokenizer.model", *ranks, folder / "vocab.json", folder / "vocab.txt"]
    found = next((path for path in choices if path.is_file()), None)
    if found is None:
        raise WorkbenchError(
            f"{folder} has no tokenizer.json, tokenizer.model, tekken.json, *.tiktoken, vocab.json or vocab.txt; give a folder or file that has a tokenizer."
        )
    beside = stated.config(folder)
    made = _whole(found, beside) or wrap(*_from_file(found, pattern), beside)
    more = {k: v for k, v in stated.read_json(folder / "tokenizer_config.json").items() if k in ("add_bos_token", "add_eos_token")}
    if made.backend_tokenizer.post_processor is None and any(more.values()):  # only then do they say something that tokenizer.json does not
        return wrap(made.backend_tokenizer, settings(made), more)
    return made


def _whole(path: Path, config: dict[str, Any]) -> PreTrainedTokenizerFast | None:
    """The tokenizer of a tokenizer.json; None for another file, and for one that is damaged.

    Given the path, transformers parses the file once; an object it copies through JSON once more (Llama-3: 1.1 against 3.8 seconds).
    """
    from transformers import PreTrainedTokenizerFast

    if path.suffix != ".json":
        return None
    try:
        return PreTrainedTokenizerFast(tokenizer_file=str(path), **config)
    except Exception:  # the library raises bare Exception; what is wrong is said where the file is read next
        return None


def _from_file(path: Path, pattern: str | None) -> tuple[tokenizers.Tokenizer, dict[str, Any]]:
    from . import convert_gpt2, convert_sentencepiece, convert_tekken, convert_tiktoken, convert_wordpiece

    if path.suffix == ".json":
        content = stated.read_json(path)
        if convert_tekken.is_tekken(content):
            return convert_tekken.convert(path, content)
        if content and all(isinstance(v, int) for v in content.values()):
            return convert_gpt2.convert(path, content, stated.read(path.parent), pattern)
        return _parse(path, content), {}
    if path.suffix == ".tiktoken" or _is_ranks(path):
        return convert_tiktoken.convert(path, pattern)
    if path.suffix == ".model":
        return convert_sentencepiece.convert(path)
    if path.suffix in (".txt", ".bpe"):
        vocab = convert_gpt2.vocab_beside(path)
        return convert_wordpiece.convert(path, stated.read(path.parent)) if vocab is None else _pair(vocab, path, pattern)
    raise WorkbenchError(
        f"{path} is not a tokenizer file; give a tokenizer.json, tekken.json, vocab.json, vocab.txt, a SentencePiece *.model, a *.tiktoken file, or a folder."
    )


def _pair(vocab: Path, merges: Path, pattern: str | None) -> tuple[tokenizers.Tokenizer, dict[str, Any]]:
    if not vocab.is_file():
        raise WorkbenchError(f"{merges} needs {vocab.name} beside it; give both files of one tokenizer.")
    return _from_file(vocab, pattern)


def _is_ranks(path: Path) -> bool:
    """Meta and others ship rank files under the name tokenizer.model: lines like b'IQ== 0'."""
    if path.suffix != ".model":
        return False
    with path.open("rb") as file:
        first = file.readline(200).split()
    return len(first) == 2 and first[1].isdigit() and first[0].isascii()


def _parse(path: Path, content: dict[str, Any]) -> tokenizers.Tokenizer:
    import tokenizers

    try:
        return tokenizers.Tokenizer.from_str(json.dumps(content, ensure_ascii=False))
    except Exception as error:  # the library raises bare Exception
        raise WorkbenchError(f"{path} is not a tokenizer.json that the tokenizers library reads ({error}); check that the file is whole.") from None
