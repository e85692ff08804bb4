"""Read a tokenizer from any of the usual files; write one that transformers 4 and 5 both read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WorkbenchError
from ..refs import locate

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast

ROLES = ("bos", "eos", "unk", "pad", "cls", "sep", "mask")
# What is kept of tokenizer_config.json. The rest names Python classes, or repeats what tokenizer.json says.
_KEPT = ("model_max_length", "padding_side", "truncation_side", "clean_up_tokenization_spaces", "model_input_names")


def load(source: str | Path | PreTrainedTokenizerFast | tokenizers.Tokenizer, *, pattern: str | None = None) -> PreTrainedTokenizerFast:
    """A tokenizer from a reference (artefact id, `demo:NAME`, path, hub id), or from an object.

    A folder may hold tokenizer.json, a SentencePiece tokenizer.model, a *.tiktoken file, or vocab.json with merges.txt; each of these may also be
    given as a file. `pattern` says how a rank file cuts text: "llama3", "qwen", "gpt2" or a regular expression; well-known sizes need none.
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
        return _from_folder(path, pattern) if path.is_dir() else wrap(*_from_file(path, pattern))
    except OSError as error:
        raise WorkbenchError(f"{path} cannot be read ({error.strerror}); check that it is whole and that you may read it.") from None


def save(tokenizer: PreTrainedTokenizerFast, folder: str | Path) -> Path:
    """Write tokenizer.json and tokenizer_config.json into `folder`; the same tokenizer gives the same bytes.

    The class is written as PreTrainedTokenizerFast and the chat template inside the config, which transformers 4 and 5 both read.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / "tokenizer.json").write_text(tokenizer.backend_tokenizer.to_str(pretty=True), encoding="utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **settings(tokenizer)}
    (place / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for stale in ("chat_template.jinja", "special_tokens_map.json", "added_tokens.json"):  # each would override the config
        (place / stale).unlink(missing_ok=True)
    return place


def settings(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What a tokenizer has beside its tokenizer.json: roles, limits, chat template; as tokenizer_config.json writes it."""
    found = {f"{role}_token": str(token) for role in ROLES if (token := getattr(tokenizer, f"{role}_token", None)) is not None}
    found |= {key: getattr(tokenizer, key) for key in _KEPT if getattr(tokenizer, key, None) is not None}
    if found.get("model_max_length", 0) > 10**12:  # transformers' way to say "no limit"
        found.pop("model_max_length")
    if extra := [str(t) for t in getattr(tokenizer, "extra_special_tokens", ()) or ()]:
        found["additional_special_tokens"] = extra  # version 4 reads a list only under this name, version 5 under both
    if isinstance(template := tokenizer.chat_template, dict):
        found["chat_template"] = [{"name": name, "template": text} for name, text in template.items()]
    elif template:
        found["chat_template"] = template
    return found


def wrap(backend: tokenizers.Tokenizer, config: dict[str, Any]) -> PreTrainedTokenizerFast:
    """The transformers tokenizer around a `tokenizers.Tokenizer` (copied), with the settings of a config."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=backend, **config)


def _from_folder(folder: Path, pattern: str | None) -> PreTrainedTokenizerFast:
    ranks = sorted(folder.glob("*.tiktoken"))
    choices = [folder / "tokenizer.json", folder / "tokenizer.model", *ranks, folder / "vocab.json"]
    found = next((path for path in choices if path.is_file()), None)
    if found is None:
        raise WorkbenchError(f"{folder} has no tokenizer.json, tokenizer.model, *.tiktoken or vocab.json; give a folder or file that has a tokenizer.")
    backend, config = _from_file(found, pattern)
    stated = _config(folder)
    if backend.post_processor is None:  # only then do these settings say something that tokenizer.json does not
        stated |= {k: v for k, v in _json(folder / "tokenizer_config.json").items() if k in ("add_bos_token", "add_eos_token")}
    return wrap(backend, config | stated)


def _from_file(path: Path, pattern: str | None) -> tuple[tokenizers.Tokenizer, dict[str, Any]]:
    from . import convert_sentencepiece, convert_tiktoken

    if path.suffix == ".json":
        content = _json(path)
        if content and all(isinstance(v, int) for v in content.values()):
            merges = path.with_name(path.name.replace("vocab", "merges").replace("encoder", "vocab")).with_suffix(".txt")
            return convert_tiktoken.convert_pair(path, merges, pattern)
        return _parse(path, content), {}
    if path.suffix == ".tiktoken" or _is_ranks(path):
        return convert_tiktoken.convert(path, pattern)
    if path.suffix == ".model":
        return convert_sentencepiece.convert(path)
    raise WorkbenchError(f"{path} is not a tokenizer file; give a tokenizer.json, a SentencePiece *.model, a *.tiktoken file, or a folder.")


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


def _config(folder: Path) -> dict[str, Any]:
    """The settings that the files beside tokenizer.json state: roles as text, limits, chat template."""
    stated = _json(folder / "special_tokens_map.json") | _json(folder / "tokenizer_config.json")
    found = {key: stated[key] for key in _KEPT if stated.get(key) is not None}
    found |= {f"{role}_token": _content(token) for role in ROLES if (token := stated.get(f"{role}_token"))}
    extra = stated.get("additional_special_tokens") or stated.get("extra_special_tokens") or []
    if isinstance(extra, list) and extra:
        found["additional_special_tokens"] = [_content(token) for token in extra]
    template = folder / "chat_template.jinja"
    if template.is_file():
        try:
            found["chat_template"] = template.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise WorkbenchError(f"{template} is not UTF-8 at byte {error.start}; save it as UTF-8.") from None
    elif stated.get("chat_template"):
        found["chat_template"] = stated["chat_template"]
    return found


def _content(token: Any) -> str:
    return token["content"] if isinstance(token, dict) else str(token)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise WorkbenchError(f"{path} is not JSON; check that the file is whole.") from None
    if not isinstance(content, dict):
        raise WorkbenchError(f"{path} is not a JSON object; give a tokenizer.json.")
    return content
