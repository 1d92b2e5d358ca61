"""Invented coded items, for practice, tests and benchmarks. Their numbers mean nothing: no study was drawn on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from upstander.study.codebook import Codebook, shipped
from upstander.study.files import as_text
from upstander.study.folder import Study

CODERS = ("ada", "bo", "cy")
DAY = 86_400_000
COUNTRIES = ("NL", "US", "FR", "LV", "RO", "DE", "CA", "BG", "SE", "GB", "SG", "PL", "JP", "CZ", "IE", "unknown")
SITES = (0.6, 0.12, 0.1, 0.05, 0.02, 0.01, 0.02, 0.05, 0.02, 0.01)


def invent(size: int, seed: int = 1) -> pl.DataFrame:
    """So many items, each coded once: a frame with the codebook's types. The same for the same seed."""
    rng = np.random.default_rng(seed)
    book = shipped()
    children = rng.choice([1, 2, 3], size, p=[0.95, 0.04, 0.01])
    first = np.datetime64("2024-01-01T00:00:00", "ms")
    assessed = first + (rng.integers(0, 1000 * 86_400, size) * 1000).astype("timedelta64[ms]")
    up, watched = rng.exponential(25 * DAY, size), rng.integers(1, 150, size) * float(DAY)
    alone = rng.choice(3, size, p=[0.95, 0.03, 0.02])
    alone[children > 1] = 1
    adult = np.where(alone == 0, 1, rng.choice(3, size, p=[0.4, 0.55, 0.05]))
    sex = rng.choice(4, size, p=[0.94, 0.04, 0.01, 0.01])
    sex[(children == 1) & (sex == 2)] = 0
    hashes = np.array([hashlib.sha256(f"invented {at}".encode()).hexdigest() for at in range(2001)])
    forums = np.array([f"f{at:02}" for at in range(16)])
    gone = up < watched
    columns = {
        "item_id": np.char.add("i", np.arange(size).astype(str)),
        "media_type": _pick(book, "media_type", rng.choice(3, size, p=[0.7, 0.29, 0.01])),
        "age_band": _pick(book, "age_band", rng.choice(6, size, p=[0.005, 0.05, 0.25, 0.55, 0.12, 0.025])),
        "sex": _pick(book, "sex", sex),
        "category": _pick(book, "category", rng.choice(3, size, p=[0.18, 0.22, 0.6])),
        "n_children": children,
        "adult_visible": _pick(book, "adult_visible", adult),
        "setting": _pick(book, "setting", rng.choice(3, size, p=[0.96, 0.02, 0.02])),
        "alone": _pick(book, "alone", alone),
        "capture_source": _pick(book, "capture_source", rng.choice(3, size, p=[0.9, 0.04, 0.06])),
        "site_type": _pick(book, "site_type", rng.choice(10, size, p=SITES)),
        "dedicated_forum_id": _where(rng.random(size) < 0.7, pl.Series(forums[rng.integers(0, 16, size)])),
        "host_country": np.array(COUNTRIES)[np.minimum(rng.geometric(0.25, size) - 1, 15)],
        "domain_hash": hashes[np.minimum((rng.pareto(1.1, size) * 2).astype(int), 2000)],
        "commercial": _pick(book, "commercial", rng.choice(3, size, p=[0.1, 0.85, 0.05])),
        "original_location": _pick(book, "original_location", rng.choice(3, size, p=[0.01, 0.98, 0.01])),
        "duplicate_of": _copies(size, rng),
        "assessed_at": _stamp(assessed),
        "removed_at": _where(gone, _stamp(assessed + _span(up))),
        "last_seen_at": _stamp(assessed + _span(np.minimum(up, watched))),
        "coder_id": np.array(CODERS)[rng.integers(0, 3, size)],
    }
    return pl.DataFrame(columns).select(pl.col(field.name).cast(field.dtype) for field in book.fields)


def code_again(items: pl.DataFrame, share: float, error: float, seed: int = 2) -> pl.DataFrame:
    """Codings by the next coder of the first ``share`` of items; category differs in about ``error`` of them."""
    rng = np.random.default_rng(seed)
    some = items.head(int(items.height * share))
    following = dict(zip(CODERS, (*CODERS[1:], CODERS[0]), strict=True))
    slip = pl.Series(rng.random(some.height) < error)
    category = pl.when(slip).then(pl.lit("C")).otherwise(pl.col("category").cast(pl.String))
    return some.with_columns(
        pl.col("coder_id").replace_strict(following),
        category.cast(items.schema["category"]).alias("category"),
        pl.col("assessed_at") + pl.duration(days=1),
    )


def fill(study: Study, size: int, seed: int = 1) -> None:
    """Put invented coders and items into a study, a part of them coded twice."""
    for name in CODERS:
        study.add_coder(name, date(2024, 1, 1))
    items = invent(size, seed)
    rows = pl.concat([items, code_again(items, study.about.double_share, 0.05, seed + 1)])
    study.take_in(as_text(rows))


def _pick(book: Codebook, name: str, codes: NDArray[np.integer]) -> pl.Series:
    values: Sequence[str] = book.by_name[name].values
    return pl.Series(np.array(values)[codes], dtype=pl.Enum(values))


def _copies(size: int, rng: np.random.Generator) -> pl.Series:
    """A tenth are copies of one of the first tenth, which has none itself."""
    firsts = max(1, size // 10)
    copied = (rng.random(size) < 0.1) & (np.arange(size) >= firsts)
    named = np.char.add("i", rng.integers(0, firsts, size).astype(str))
    return _where(copied, pl.Series(named))


def _where(condition: NDArray[np.bool_], values: pl.Series) -> pl.Series:
    """The values where the condition holds, null elsewhere."""
    return pl.select(pl.when(pl.Series(condition)).then(values)).to_series()


def _span(milliseconds: NDArray[np.float64]) -> NDArray[np.timedelta64]:
    return milliseconds.astype("int64").astype("timedelta64[ms]")


def _stamp(moments: NDArray[np.datetime64]) -> pl.Series:
    return pl.Series(moments).dt.replace_time_zone("UTC")
