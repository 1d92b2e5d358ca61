"""Trains the paraphrase model that ships, on the packs' examples alone: src/upstander/packs/paraphrase.safetensors.

``--check`` trains nothing: it fails when the model was trained on other examples than those that ship.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from upstander.detect import classifier, examples, paraphrase
from upstander.detect.embedding import bundled
from upstander.learn import train

SOURCE = Path(__file__).resolve().parent.parent / "src" / "upstander"
OUT = SOURCE / "packs" / "paraphrase.safetensors"
CHAT = SOURCE / "demo" / "chat" / "invented.jsonl"


def ordinary() -> list[examples.Example]:
    """The invented ordinary chat that ships with the demo: benign, and twins of nothing in particular."""
    texts = [json.loads(line)["text"] for line in CHAT.read_text(encoding="utf-8").splitlines()]
    return [examples.Example(text, "", "en", False) for text in texts]


def main() -> None:
    """Train and write, or check."""
    lines = examples.bundled()
    if "--check" in sys.argv:
        model = paraphrase.ParaphraseModel(OUT.read_bytes(), bundled(), classifier.bundled())
        if model.parameters.trained_on != train.trained_on(train.lines_of([*lines, *ordinary()])):
            sys.exit("the paraphrase model was trained on other examples: run scripts/train_paraphrase.py")
        return
    OUT.write_bytes(train.train([*lines, *ordinary()], bundled(), classifier.bundled()))
    print(f"{OUT.name}: {OUT.stat().st_size:,} bytes, trained on {len(lines):,} examples")


if __name__ == "__main__":
    main()
