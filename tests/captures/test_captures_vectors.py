"""PDQ's published test vectors: what Meta's pdq-photo-hasher gave for ten pictures, as the package pdqhash states it.

The pictures come from a package of PyPI (`scripts/pdq_vectors.sh`); two of them are two bits off in pdqhash's own
test, too, for how JPEG is decoded.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from upstander.captures.bits import distance, words_of
from upstander.captures.index import Index
from upstander.captures.pictures import prints

FOLDER = Path(__file__).parents[2] / ".tools" / "pdq-vectors"
VECTORS = {
    "image1.jpg": ("162f64caf95043b9bf2f3aceda528c7e0083d95066adc369e299a1709d723c8f", 2),
    "image2.jpg": ("6d4da52c96e436e6c933db32364a648c4daddb6ce673c6669d6c4018f4d0a8cd", 0),
    "image3.jpg": ("0f3a64e05392ed6b32c4c71374f9cb873378c5c5745f11796c05733ae4c99646", 0),
    "image4.jpg": ("d83acfc7bc386ecd3263359c4263bd1cd9a30af83c0f60f03747c03ccf72a08b", 0),
    "image5.jpg": ("3f98c0e79c7e1b0ee1e1b0bd46567bc129acd2791c96cf4a3071ce8f991131b2", 0),
    "image6.jpg": ("dce5f41e8b8cf0900aabcce142aa8def70ae780ef5c4e0515fd5e2f1281f360e", 0),
    "image7.jpg": ("a78d2315b479b87693f61f091936e0e3e1e6c61e0e380e318e638ec718defdc0", 2),
    "image8.jpg": ("522362058e441e722cdea9cb911b5fa997386a7721e781870f44eedc91fbe54b", 0),
    "image9.jpg": ("36ce692904162be3c9a524f8356f1e12cadbd4f839a5a41ab247d3d858bb69a7", 0),
    "image10.jpg": ("1cc64275f58c5f73899362bc55cf98bce30236dd89a6701bdfe4809e63631c07", 0),
}
#: threatexchange's examples of one bridge, changed in twelve ways.
BRIDGE = 12


@pytest.mark.skipif(
    not FOLDER.exists() and os.environ.get("CI") != "true", reason="run scripts/pdq_vectors.sh for the pictures"
)
@pytest.mark.parametrize("name", VECTORS)
def test_a_published_vector_is_reproduced(name: str) -> None:
    """FFmpeg decodes JPEG here, libjpeg did there: up to four bits may differ for it, and none in most."""
    expected, allowed = VECTORS[name]
    (found,) = prints(FOLDER / name)
    assert distance(found.pdq, expected) <= allowed + 4
    assert found.quality == 100


@pytest.mark.skipif(
    not FOLDER.exists() and os.environ.get("CI") != "true", reason="run scripts/pdq_vectors.sh for the pictures"
)
@pytest.mark.parametrize("name", VECTORS)
def test_a_published_vector_is_reproduced_bit_for_bit_from_the_same_pixels(name: str) -> None:
    import cv2

    from upstander.captures.bits import hex_of
    from upstander.captures.pictures import pdq_of

    expected, allowed = VECTORS[name]
    pixels = cv2.cvtColor(cv2.imread(str(FOLDER / name)), cv2.COLOR_BGR2RGB)
    assert distance(hex_of(pdq_of(pixels)[0]), expected) <= allowed


def test_distances_and_matches_are_those_of_threatexchange() -> None:
    """All pairs of threatexchange's own examples: the same distances, and the same matches as its comparison says."""
    from threatexchange.signal_type.pdq.pdq_utils import simple_distance
    from threatexchange.signal_type.pdq.signal import PdqSignal

    examples = PdqSignal.get_examples()
    index = Index()
    import numpy as np

    index.add(words_of(examples), np.arange(len(examples), dtype=np.uint64))
    found = index.query(words_of(examples))
    pairs = set(zip(found.query.tolist(), found.key.tolist(), strict=True))
    for left, one in enumerate(examples):
        for right, other in enumerate(examples):
            assert distance(one, other) == simple_distance(one, other)
            assert ((left, right) in pairs) == PdqSignal.compare_hash(one, other).match
    assert {(0, other) for other in range(BRIDGE)} <= pairs
