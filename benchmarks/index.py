"""The index of fingerprints beside faiss and threatexchange's own PDQ index, on one core, in one run.

Ten million random 256-bit fingerprints at radius 31: queries a second against faiss.IndexBinaryFlat's range search, and
the memory that the index takes. At 100,000 and one million entries threatexchange's PDQIndex2 (as it comes: faiss
IndexFlatL2) stands beside it, too. Every answer is compared with the flat search's: what is not exact is not counted.
Half of the queries lie within the radius of an entry, half are random.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from threatexchange.signal_type.pdq.pdq_index2 import PDQIndex2

from common import emit, pin
from upstander.captures.bits import hex_of
from upstander.captures.index import Index

RADIUS = 31
BIG = 10_000_000


def fingerprints(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, (count, 4), dtype=np.uint64)


def questions(hashes: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Half near an entry (0 to 31 bits away), half random."""
    rng = np.random.default_rng(seed)
    near = hashes[rng.integers(0, len(hashes), count // 2)].copy()
    for row in near:
        for bit in rng.choice(256, int(rng.integers(0, RADIUS + 1)), replace=False):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return np.concatenate([near, fingerprints(count - count // 2, seed + 1)])


def rate(run: Any, queries: np.ndarray) -> tuple[float, Any]:
    began = time.perf_counter()
    found = run(queries)
    return round(len(queries) / (time.perf_counter() - began), 1), found


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    pin()
    faiss.omp_set_num_threads(1)
    figures: dict[str, Any] = {}
    exact = True
    for count, asked in ((100_000, 2_000), (1_000_000, 400)):
        hashes = fingerprints(count, 1)
        queries = questions(hashes, asked, 2)
        index = Index()
        index.add(hashes, np.arange(count, dtype=np.uint64))
        index.flush()
        index.query(queries[:2])
        ours, found = rate(index.query, queries)
        flat = faiss.IndexBinaryFlat(256)
        flat.add(hashes.view(np.uint8).reshape(count, 32))
        flat_rate, truth = rate(lambda q, f=flat: f.range_search(q.view(np.uint8).reshape(-1, 32), RADIUS + 1), queries)
        theirs_asked = [hex_of(one) for one in queries[: max(20, asked // 10)]]
        theirs = PDQIndex2(entries=((hex_of(one), n) for n, one in enumerate(hashes)))
        began = time.perf_counter()
        for one in theirs_asked:
            theirs.query(one)
        their_rate = round(len(theirs_asked) / (time.perf_counter() - began), 1)
        exact &= same(found, truth)
        figures[f"at_{count}"] = {
            "queries_per_s": ours, "faiss_flat": flat_rate, "threatexchange": their_rate,
            "times_faiss": round(ours / flat_rate, 1), "times_threatexchange": round(ours / their_rate, 1),
        }  # fmt: skip
        del theirs, flat, index
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        figures["at_10000000"], big_exact = big(Path(folder))
    at_big = figures["at_10000000"]
    emit(
        "index",
        {
            "exact": exact and big_exact,
            "10M: times_faiss >= 10": at_big["times_faiss"] >= 10,
            "10M: index_mb <= 1200": at_big["index_mb"] <= 1200,
        },
        radius=RADIUS,
        **figures,
    )


def big(folder: Path) -> tuple[dict[str, Any], bool]:
    """Ten million, memory-mapped: the index in its file, beside the flat search in memory."""
    hashes = fingerprints(BIG, 5)
    queries = questions(hashes, 2_000, 6)
    before = resident_mb()
    index = Index(folder)
    began = time.perf_counter()
    index.add(hashes, np.arange(BIG, dtype=np.uint64))
    built = round(time.perf_counter() - began, 1)
    index.query(queries[:50])
    # Side by side, three times in turn: other work on the machine then meets both.
    flat = faiss.IndexBinaryFlat(256)
    flat.add(hashes.view(np.uint8).reshape(BIG, 32))
    index_mb = round(index.bytes / 1e6)
    ours, theirs, exact = [], [], True
    for part in range(3):
        chosen = queries[part::3]
        speed, _ = rate(index.query, chosen)
        ours.append(speed)
        some = chosen[:: len(chosen) // 40]
        speed, truth = rate(lambda q: flat.range_search(q.view(np.uint8).reshape(-1, 32), RADIUS + 1), some)
        theirs.append(speed)
        exact &= same(index.query(some), truth)
    began = time.perf_counter()
    index.remove_range(0, 1000)
    index.add(hashes[:1000], np.arange(1000, dtype=np.uint64))
    changed_ms = round((time.perf_counter() - began) * 1000, 1)
    return {
        "queries_per_s": sorted(ours)[1], "faiss_flat": sorted(theirs)[1],
        "times_faiss": round(sorted(ours)[1] / sorted(theirs)[1], 1), "index_mb": index_mb,
        "resident_growth_mb": round(resident_mb() - before - BIG * 32 / 1e6), "built_s": built,
        "thousand_removed_and_added_ms": changed_ms,
    }, exact  # fmt: skip


def same(found: Any, truth: Any) -> bool:
    """Whether the pairs of query and entry are those of the flat search."""
    limits, _, labels = truth
    flat = {(q, int(key)) for q in range(len(limits) - 1) for key in labels[limits[q] : limits[q + 1]]}
    return flat == set(zip(found.query.tolist(), found.key.tolist(), strict=True))


if __name__ == "__main__":
    main()
