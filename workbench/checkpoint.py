"""Embedding tables straight from and to safetensors; every other tensor is passed through without being loaded.

A checkpoint here is a Hugging Face model folder: `config.json` and one safetensors file, or shards with an index. The
result of a change of tables keeps the shards that hold none (linked or copied), rewrites those that hold one without it,
and adds one small shard, `model-tables.safetensors`.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import store
from .errors import WorkbenchError

if TYPE_CHECKING:
    import torch

INDEX = "model.safetensors.index.json"
TABLES = "model-tables.safetensors"
INPUT_NAMES = ("model.embed_tokens.weight", "transformer.wte.weight", "wte.weight", "gpt_neox.embed_in.weight", "embed_tokens.weight")
OUTPUT_NAMES = ("lm_head.weight", "embed_out.weight")
ID_KEYS = ("_token_id", "_token_ids", "suppress_tokens", "bad_words_ids")


@dataclass(frozen=True)
class Checkpoint:
    """A model folder, opened without loading it."""

    path: Path
    config: dict[str, Any]
    shards: dict[str, Path]  # tensor name → file
    input_name: str
    output_name: str | None

    @classmethod
    def open(cls, path: str | Path) -> Checkpoint:
        """Read config and index. Raises WorkbenchError where the folder is no complete causal language model."""
        path = Path(path)
        config = read_json(path / "config.json", f"{path} holds no config.json; give the folder of a Hugging Face model.")
        if "quantization_config" in config:
            raise WorkbenchError(f"{path} is quantised, so its tables are not plain numbers; use the unquantised release of the model.")
        shards = _shards(path)
        found = next((n for n in INPUT_NAMES if n in shards), None)
        if found is None:
            raise WorkbenchError(
                f"{path} ({config.get('model_type', 'unknown kind')}) has no embedding table under a known name; use a decoder language model such as Llama."
            )
        return cls(path, config, shards, found, next((n for n in OUTPUT_NAMES if n in shards), None))

    @property
    def tied(self) -> bool:
        """Whether one table serves as input and output: by the config, or because no head is stored."""
        return self.output_name is None or bool(self.config.get("tie_word_embeddings", False))

    def input(self) -> torch.Tensor:
        """The input embedding table (V, d), memory-mapped, in the dtype of the file."""
        return self.tensor(self.input_name)

    def output(self) -> torch.Tensor:
        """The output head (V, d); the input table where the model is tied."""
        return self.input() if self.tied else self.tensor(self.output_name)

    def tensor(self, name: str) -> torch.Tensor:
        from safetensors import safe_open

        with safe_open(self.shards[name], framework="pt") as file:
            return file.get_tensor(name)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, width) of the input table, from the file's header."""
        rows, width = _header(self.shards[self.input_name])[0][self.input_name]["shape"]
        return rows, width

    def check_fits(self, ids: int) -> None:
        """Raise WorkbenchError if a tokenizer with `ids` ids has more than this model has rows."""
        if ids > self.shape[0]:
            raise WorkbenchError(
                f"The tokenizer has {ids} ids but {self.path} only {self.shape[0]} embedding rows; use the tokenizer that came with this model."
            )


def write(
    source: Checkpoint,
    out: Path,
    input: torch.Tensor,
    output: torch.Tensor | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    generation: Mapping[str, Any] | None = None,
) -> None:
    """Write into the folder `out` the model `source` with other tables.

    Args:
        source: whose other tensors are passed through, byte for byte.
        out: an existing folder.
        input, output: the new tables (rows, d), stored in the dtype they come in; `output=None` makes a tied model.
        config, generation: entries that replace those of config.json and generation_config.json.
    """
    from safetensors.torch import save_file

    out.mkdir(exist_ok=True)
    own = {source.input_name, *(OUTPUT_NAMES if source.output_name is None else [source.output_name])}
    weights = _pass_through(source, out, own)
    tables = {source.input_name: input.contiguous()}
    if output is not None:
        tables[source.output_name or "lm_head.weight"] = output.contiguous()
    save_file(tables, out / TABLES, metadata={"format": "pt"})
    weights |= dict.fromkeys(tables, TABLES)
    total = sum(end - start for name in set(weights.values()) for start, end in (t["data_offsets"] for t in _header(out / name)[0].values()))
    store.write_json(out / INDEX, {"metadata": {"total_size": total}, "weight_map": dict(sorted(weights.items()))})
    store.write_json(out / "config.json", source.config | {"vocab_size": input.shape[0], "tie_word_embeddings": output is None} | dict(config or {}))
    generating = source.path / "generation_config.json"
    if generating.is_file() or generation:
        before = read_json(generating) if generating.is_file() else {}
        store.write_json(out / "generation_config.json", before | dict(generation or {}))


def carried_ids(settings: Mapping[str, Any], to_new: Mapping[int, int]) -> dict[str, Any]:
    """Every entry of a config that is a token id, or a list of them, moved to the new ids.

    An id that is gone is left out, and so is a banned sequence that lost a token: what remained of it would ban another text.
    """

    def move(value: Any) -> Any:
        if isinstance(value, list) and any(isinstance(v, list) for v in value):
            return [[to_new[i] for i in v] for v in value if all(i in to_new for i in v)] or None
        if isinstance(value, list):
            return [to_new[i] for i in value if i in to_new] or None
        return to_new.get(value) if isinstance(value, int) and not isinstance(value, bool) else value

    return {key: move(value) for key, value in settings.items() if key.endswith(ID_KEYS) and value is not None}


def _pass_through(source: Checkpoint, out: Path, dropped: set[str]) -> dict[str, str]:
    """Put every tensor but the dropped ones into `out`; returns tensor name → file name."""
    weights: dict[str, str] = {}
    for shard in sorted(set(source.shards.values())):
        names = [n for n, p in source.shards.items() if p == shard]
        kept = [n for n in names if n not in dropped]
        if not kept:
            continue
        # transformers prefers a file of the single-file name to any index, so a part of a model must not be called that.
        name = "model-body.safetensors" if shard.name == "model.safetensors" else shard.name
        if len(kept) == len(names):
            link_or_copy(shard, out / name)
        else:
            _copy_without(shard, out / name, dropped)
        weights |= dict.fromkeys(kept, name)
    return weights


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the file lies in our home or the hub's cache, which nobody edits; else a copy."""
    real = source.resolve()
    if any(real.is_relative_to(place.resolve()) for place in (store.folder(), _hub_cache())):
        try:
            os.link(real, target)
            return
        except OSError:  # another file system, or one without links
            pass
    shutil.copyfile(real, target)


def _hub_cache() -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def _shards(path: Path) -> dict[str, Path]:
    if (path / "model.safetensors").is_file():
        return dict.fromkeys(_header(path / "model.safetensors")[0], path / "model.safetensors")
    if (path / INDEX).is_file():
        weights = read_json(path / INDEX).get("weight_map", {})
        odd = next((f for f in weights.values() if not isinstance(f, str) or Path(f).name != f or not f.endswith(".safetensors")), None)
        if odd is not None:
            raise WorkbenchError(f"The index of {path} names {odd!r}, which is no safetensors file beside it; download the model again.")
        missing = sorted({f for f in weights.values() if not (path / f).is_file()})
        if missing:
            raise WorkbenchError(f"{path} lacks {missing[0]}, which its index names; download the model again.")
        return {name: path / file for name, file in weights.items()}
    if any(path.glob("*.bin")):
        raise WorkbenchError(f"{path} has only pickled weights (.bin), which may run code; convert them to safetensors first.")
    raise WorkbenchError(f"{path} holds no weights (model.safetensors, or {INDEX} with its shards); download the model again.")


def read_json(path: Path, missing: str = "") -> dict[str, Any]:
    """The JSON object in a file. Raises WorkbenchError, with the sentence `missing` where the file is not there."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WorkbenchError(missing) from None
    except (OSError, ValueError) as error:
        raise WorkbenchError(f"{path} cannot be read as JSON ({error}); download it again.") from error
    if not isinstance(found, dict):
        raise WorkbenchError(f"{path} holds no JSON object; download it again.")
    return found


def _header(file: Path) -> tuple[dict[str, Any], dict[str, str], int]:
    """(tensors, metadata, first data byte) of a safetensors file."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > 100_000_000:
                raise ValueError("the header's length is impossible")
            header = json.loads(stream.read(length))
        end = 8 + length + max((t["data_offsets"][1] for name, t in header.items() if name != "__metadata__"), default=0)
        if file.stat().st_size < end:
            raise ValueError(f"it has {file.stat().st_size} of {end} bytes")
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WorkbenchError(f"{file} is no whole safetensors file ({error}); download it again.") from error
    return header, header.pop("__metadata__", {"format": "pt"}), 8 + length


def _copy_without(source: Path, target: Path, dropped: set[str]) -> None:
    """Copy a safetensors file but for some tensors, in a stream: no tensor is held in memory."""
    tensors, metadata, start = _header(source)
    kept = sorted((name for name in tensors if name not in dropped), key=lambda name: tensors[name]["data_offsets"][0])
    header: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    for name in kept:
        low, high = tensors[name]["data_offsets"]
        header[name] = tensors[name] | {"data_offsets": [at, at + high - low]}
        at += high - low
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with source.open("rb") as old, target.open("wb") as new:
        new.write(struct.pack("<Q", len(text)) + text)
        for name in kept:
            low, high = tensors[name]["data_offsets"]
            old.seek(start + low)
            while low < high:
                piece = old.read(min(1 << 22, high - low))
                if not piece:
                    raise WorkbenchError(f"{source} ends in the middle of {name}; download it again.")
                new.write(piece)
                low += len(piece)
