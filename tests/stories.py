"""The real stories260K checkpoint (llama2.c's first file format) as a Hugging Face Llama folder."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

SENTENCE = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball."


def convert(source: Path, folder: Path) -> Path:
    """Write config, weights and tokenizer of `source` into `folder`."""
    import torch
    from sentencepiece import sentencepiece_model_pb2 as proto
    from transformers import LlamaConfig, LlamaForCausalLM

    from workbench.tokenizer import load, save

    raw = (source / "checkpoint_legacy.bin").read_bytes()
    width, hidden, layers, heads, kv_heads, vocab, context = struct.unpack("<7i", raw[:28])
    assert vocab > 0, "a negative size would mean an untied head"
    values = np.frombuffer(raw, np.float32, offset=28)
    at = 0

    def take(*shape: int) -> torch.Tensor:
        nonlocal at
        at += int(np.prod(shape))
        return torch.from_numpy(values[at - int(np.prod(shape)) : at].reshape(shape).copy())

    size = width // heads
    table = take(vocab, width)
    parts = {
        "input_layernorm": take(layers, width), "self_attn.q_proj": take(layers, width, width),
        "self_attn.k_proj": take(layers, kv_heads * size, width),
        "self_attn.v_proj": take(layers, kv_heads * size, width), "self_attn.o_proj": take(layers, width, width),
        "post_attention_layernorm": take(layers, width),
        "mlp.gate_proj": take(layers, hidden, width), "mlp.down_proj": take(layers, width, hidden), "mlp.up_proj": take(layers, hidden, width),
    }  # fmt: skip
    # llama2.c turns neighbouring pairs of dimensions, transformers the two halves of a head.
    for name, count in (("self_attn.q_proj", heads), ("self_attn.k_proj", kv_heads)):
        parts[name] = parts[name].view(layers, count, size // 2, 2, width).transpose(2, 3).reshape(layers, count * size, width)
    state = {f"model.layers.{i}.{name}.weight": rows[i].contiguous() for name, rows in parts.items() for i in range(layers)}
    state |= {"model.embed_tokens.weight": table, "model.norm.weight": take(width)}
    config = LlamaConfig(
        vocab_size=vocab, hidden_size=width, intermediate_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads,
        max_position_embeddings=context, rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    missing = model.load_state_dict(state, strict=False)
    assert set(missing.missing_keys) <= {"lm_head.weight"}
    assert not missing.unexpected_keys
    model.save_pretrained(folder)

    raw = (source / "tokenizer.bin").read_bytes()
    made, at = proto.ModelProto(), 4
    for index in range(vocab):
        score, length = struct.unpack_from("<fi", raw, at)
        piece = raw[at + 8 : at + 8 + length].decode()
        at += 8 + length
        kind = {0: 2, 1: 3, 2: 3}.get(index, 6 if piece.startswith("<0x") and index < 259 else 1)
        made.pieces.add(piece=["<unk>", "<s>", "</s>"][index] if index < 3 else piece.replace(" ", "▁"), score=score, type=kind)
    made.trainer_spec.model_type, made.trainer_spec.byte_fallback, made.trainer_spec.vocab_size = 2, True, vocab
    rules = made.normalizer_spec
    rules.add_dummy_prefix, rules.remove_extra_whitespaces, rules.name = True, False, "identity"
    (folder / "tokenizer.model").write_bytes(made.SerializeToString())
    save(load(folder / "tokenizer.model"), folder)
    (folder / "tokenizer.model").unlink()
    return folder
