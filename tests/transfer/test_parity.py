"""The same inputs to the public implementations of the methods, and the same answers but for what is said here.

What is compared is what a method computes from vectors: which rows, with what weights, and the new rows. What comes before differs on purpose:

- deepfocus compares tokens by their decoded text: parts of a letter's bytes all decode to U+FFFD and count as shared, each with all others, and so do kinds of
  white space, which it strips (shown below).
- wechsel aligns raw word vectors and three spellings of each word, so that frequent words, which are longer, count more; ours have length one. Where
  all have length one and one spelling is known, the alignment is the same. Vectors of two widths it cuts, but the wrong ones of the two; we refuse them.
- wechsel copies special tokens by their string, and sets its fallback from a fixed generator; ours go by role and by seed and token.
- tokensurgeon solves least squares in fp32 with a driver for full rank: with nearly equal donor rows its weights are far off. Such rows are not compared.
- Cosines are compared in fp32 by tokensurgeon, so two neighbours nearer than 1e-6 to each other may change places: sets of neighbours are not compared,
  weights are for the neighbours it has found.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
from safetensors.numpy import load_file, save_file

from tests.benchmarks import surgeon as runner
from workbench.tokenizer import load
from workbench.transfer.base import MIX, PRODUCT, Blend, Product
from workbench.transfer.combining import combine_rows
from workbench.transfer.pursuit import pursue
from workbench.transfer.similar import Support, nearest_k, sparsemax, unit
from workbench.transfer.wechsel import alignment
from workbench.vocab import Vocabulary

pytestmark = pytest.mark.external

SHARED, NEW, WIDTH, SOURCE, K = 400, 60, 32, 24, 8
Arrays = dict[str, np.ndarray]


def tables(seed: int = 0) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """Donor vectors of shared tokens and of new ones, loosely clustered; source rows of the shared ones."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((20, WIDTH))
    old, new = (centres[rng.integers(0, 20, n)] + 0.7 * rng.standard_normal((n, WIDTH)) for n in (SHARED, NEW))
    return old.astype(np.float32), new.astype(np.float32), torch.from_numpy(rng.standard_normal((SHARED, SOURCE)).astype(np.float32))


def rows_of(support: Support, weights: np.ndarray, source: torch.Tensor) -> np.ndarray:
    from scipy.sparse import csr_array

    mix = csr_array((weights, support.anchors, support.ends), shape=(len(support.sizes), len(source)))
    return Blend(np.full(mix.shape[0], MIX, np.uint8), np.full(mix.shape[0], -1), mix).fill(source).numpy()


def test_focus_makes_the_rows_of_deepfocus() -> None:
    focus = pytest.importorskip("deepfocus.focus", reason="deepfocus is not installed (extra bench)")
    from deepfocus.vocab_helper import NewToken, OverlappingToken, TokenClass

    def token(i: int) -> TokenClass:
        return TokenClass(str(i), i, str(i), str(i), str(i), str(i), True)

    old, new, source = tables()
    overlap = {str(i): OverlappingToken([token(i)], token(i), source[i], old[i]) for i in range(SHARED)}
    theirs = focus.focus_additional_token_initialization(overlap, {f"n{i}": NewToken(token(i), new[i]) for i in range(NEW)}, torch.zeros(NEW, SOURCE), "cpu")
    support = sparsemax(new, old)
    assert np.allclose(rows_of(support, support.sparsemax(), source), theirs.numpy(), rtol=1e-5, atol=1e-5)
    assert support.sizes.max() > 2


def test_deepfocus_shares_tokens_with_other_bytes_and_no_others_that_we_do_not(tmp_path: Path) -> None:
    focus = pytest.importorskip("deepfocus.focus", reason="deepfocus is not installed (extra bench)")
    source, target = load(tiny.tokenizer(tmp_path / "a")), load(tiny.tokenizer(tmp_path / "b", merges=150, texts=tiny.RUSSIAN + tiny.ENGLISH[:3]))
    found, _ = focus.get_overlapping_tokens(target, source, match_symbols=False, exact_match_all=True, fuzzy_match_all=False)
    theirs = {(piece.id, info.target.id) for info in found.values() for piece in info.source}
    here, there = Vocabulary(source), Vocabulary(target)
    ours = {(int(a), int(b)) for a, b in here.overlap(there)}
    text = {(a, b) for a, b in ours if here.identity(a).kind == "text"}
    assert text <= theirs
    alike = [(here.identity(a), there.identity(b)) for a, b in theirs - ours]
    assert alike
    for a, b in alike:
        assert a.bytes != b.bytes or a.word_start != b.word_start
        assert a.bytes.decode("utf-8", "replace").lstrip() == b.bytes.decode("utf-8", "replace").lstrip()


class _Names:
    """As much of a tokenizer as wechsel asks for: a name for each id, none of them special."""

    def __init__(self, size: int) -> None:
        self.vocab = {f"t{i}": i for i in range(size)}
        self.special_tokens_map: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.vocab)

    def convert_ids_to_tokens(self, ids: int | np.ndarray | list[int]) -> str | list[str]:
        return f"t{ids}" if np.isscalar(ids) else [f"t{i}" for i in ids]


def test_wechsel_makes_the_rows_of_wechsel() -> None:
    wechsel = pytest.importorskip("wechsel", reason="wechsel is not installed (extra bench)")
    old, new, source = tables(1)
    theirs, _, leaned = wechsel.create_target_embeddings(unit(old), unit(new), _Names(SHARED), _Names(NEW), source.numpy(), verbose=False)
    support = nearest_k(new, old, 10)
    weights = support.softmax(0.1)
    assert np.allclose(rows_of(support, weights, source), theirs, rtol=1e-4, atol=1e-5)
    for row in range(NEW):
        part = slice(support.ends[row], support.ends[row + 1])
        tokens, shares, _ = leaned[f"t{row}"]
        assert [f"t{i}" for i in support.anchors[part]] == list(tokens)
        assert np.allclose(weights[part], shares, rtol=1e-4)  # cosines are rounded to 1e-6, and divided by 0.1


def test_wechsel_turns_as_wechsel_does() -> None:
    wechsel = pytest.importorskip("wechsel", reason="wechsel is not installed (extra bench)")
    vectors = [unit(rows)[:50] for rows in tables(2)[:2]]
    words = [f"{i}" for i in range(50)]  # digits: the same in lower and title case

    def known(rows: np.ndarray) -> tuple[SimpleNamespace, SimpleNamespace]:
        theirs = SimpleNamespace(get_word_id=lambda word: int(word), get_word_vector=lambda word: rows[int(word)])
        return theirs, SimpleNamespace(how="", look_up=lambda asked: (rows[[int(w) for w in asked]], np.ones(len(asked), bool)))

    (a, source), (b, target) = map(known, vectors)
    pairs = list(zip(words, words, strict=True))
    theirs = wechsel.WECHSEL._compute_align_matrix_from_dictionary(None, a, b, pairs)
    assert np.allclose(alignment(source, target, pairs)[0], theirs, atol=1e-9)


@pytest.fixture
def surgeon(tmp_path: Path) -> Callable[..., Arrays]:
    """tokensurgeon's places, weights and rows."""
    python = os.environ.get("WORKBENCH_MERGEKIT")
    if not python:
        pytest.skip("WORKBENCH_MERGEKIT does not name the Python of an environment that has mergekit")

    def run(method: str, k: int, old: np.ndarray, new: np.ndarray, source: torch.Tensor) -> Arrays:
        save_file({"targets": new, "points": old, "source": source.numpy()}, tmp_path / "in.safetensors")
        subprocess.run([python, runner.__file__, method, str(k), tmp_path / "in.safetensors", tmp_path / "out.safetensors"], check=True, timeout=300)
        return load_file(tmp_path / "out.safetensors")

    return run


def at(places: np.ndarray) -> Support:
    return Support(np.arange(len(places) + 1) * places.shape[1], places.ravel(), np.zeros(places.size))


@pytest.mark.parametrize("affine", [False, True], ids=["least_squares", "barycentric"])
def test_combinations_are_those_of_tokensurgeon(surgeon: Callable[..., Arrays], affine: bool) -> None:
    """Its least squares is SALT's and matching pursuit's last step; its barycentric coordinates are the affine ones (`center`)."""
    old, new, source = tables(3)
    theirs = surgeon("barycentric" if affine else "least_squares", K, old, new, source)
    found = combine_rows(new, old, at(theirs["places"]), affine=affine)
    assert np.allclose(found.coefficients.reshape(NEW, K), theirs["weights"], rtol=1e-3, atol=1e-4)
    assert np.allclose(rows_of(at(theirs["places"]), found.coefficients, source), theirs["rows"], rtol=1e-3, atol=1e-4)
    ours = nearest_k(new, old, K).anchors.reshape(NEW, K)
    assert np.mean([len(set(a) & set(b)) / K for a, b in zip(ours, theirs["places"], strict=True)]) > 0.99


def test_averages_over_all_shared_tokens_are_those_of_tokensurgeon(surgeon: Callable[..., Arrays]) -> None:
    """With as many neighbours as there are, weights in proportion to the cosine are CLP's. A common direction keeps their sum from cancelling out."""
    old, new, source = tables(4)
    old, new = old + 1, new + 1
    theirs = surgeon("distance_proportional", SHARED, old, new, source)
    left, right = unit(new), unit(old).T
    product = Product.of(left / (left @ right.sum(1))[:, None], right, np.arange(SHARED))
    from scipy.sparse import csr_array

    blend = Blend(np.full(NEW, PRODUCT, np.uint8), np.arange(NEW), csr_array((NEW, SHARED)), product=product)
    assert np.allclose(blend.fill(source).numpy(), theirs["rows"], rtol=1e-3, atol=1e-5)


def test_pursuit_is_that_of_tokensurgeon(surgeon: Callable[..., Arrays]) -> None:
    old, new, source = tables(5)
    theirs, support = surgeon("omp", K, old, new, source), pursue(new, old, K)
    assert (support.anchors.reshape(NEW, K) == theirs["places"]).all()
    found = combine_rows(new, old, support)
    assert np.allclose(found.coefficients.reshape(NEW, K), theirs["weights"], rtol=1e-3, atol=1e-4)
    assert np.allclose(rows_of(support, found.coefficients, source), theirs["rows"], rtol=1e-3, atol=1e-4)
