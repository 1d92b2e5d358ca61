"""The paraphrase tier: what it may say, that it is the same everywhere, and that it can be missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upstander import runtime
from upstander.detect import classifier, embedding, examples, packs, paraphrase
from upstander.detect.cache import cache_folder
from upstander.detect.text import SETTLED, TextDetector
from upstander.learn import train
from upstander.learn.augment import variants


@pytest.fixture(scope="module")
def model() -> paraphrase.ParaphraseModel:
    found = paraphrase.bundled()
    assert found is not None
    return found


def test_scalar_products_are_exact_whatever_the_order(model: paraphrase.ParaphraseModel) -> None:
    vectors = embedding.bundled().many(["are your parents home", "nice drawing", "dont tell anyone"])
    assert (vectors == numpy.rint(vectors)).all()
    whole = vectors.astype(numpy.int64)
    assert ((vectors @ vectors.T).astype(numpy.int64) == whole @ whole.T).all()


@given(st.text(max_size=120))
@settings(max_examples=200, deadline=None)
def test_any_text_can_be_read(text: str) -> None:
    model = paraphrase.bundled()
    assert model is not None
    model.doubtful(text)
    for found in model.read(text):
        assert found.enough
        assert found.neighbour


def test_one_text_at_a_time_or_many_gives_the_same_vectors() -> None:
    texts = ["are your parents home", "", "ok", "a much longer line of chat about a game and a dog"]
    many = embedding.bundled().many(texts)
    assert all((embedding.bundled().one(text) == row).all() for text, row in zip(texts, many, strict=True))


def test_a_line_of_no_known_pattern_is_seen_with_its_nearest_example(model: paraphrase.ParaphraseModel) -> None:
    """Examples that no pattern fires on: the tier must add something to what the patterns see."""
    detector = TextDetector(packs.load(packs.bundled()), cache_folder(), model)
    alone = TextDetector(packs.load(packs.bundled()), cache_folder())
    missed = [e for e in examples.of_rows() if e.shows and e.language == "en" and not alone.viewer(e.text, "h")]
    seen = [e for e in missed if any(s.label == e.tactic for s in detector.viewer(e.text, "h"))]
    assert seen or not missed
    for example in seen[:20]:
        for signal in detector.viewer(example.text, "h"):
            if signal.source == paraphrase.SOURCE:
                assert signal.near
                assert signal.view == "plain"


def test_no_second_thought_where_a_pattern_is_sure(model: paraphrase.ParaphraseModel) -> None:
    detector = TextDetector(packs.load(packs.bundled()), cache_folder(), model)
    sure = [p for p in detector.packs.patterns if p.language == "en" and p.strength >= SETTLED and p.who == "viewer"]
    for pattern in sure[:10]:
        assert max(signal.strength for signal in detector.viewer(pattern.fires[0], "h")) >= SETTLED
    assert sure
    assert detector.second_thoughts == 0


def test_without_the_model_the_patterns_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paraphrase, "why_missing", lambda: "wordllama not installed. Install upstander[paraphrase].")
    configuration = runtime.current()
    assert configuration.paraphrase == ""
    assert configuration.runs_here
    detector = runtime.Runtime(configuration).engine("")._detector
    assert detector.paraphrase is None
    assert detector.viewer("dont tell your mom about me", "h")


def test_a_journal_decided_with_the_model_does_not_replay_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = runtime.current()
    assert configuration.runs_here
    monkeypatch.setattr(paraphrase, "why_missing", lambda: "wordllama not installed")
    assert not configuration.runs_here


def test_a_configuration_from_before_the_model_is_read() -> None:
    old = json.dumps({"engine": "1", "policy": "x", "packs": [["a.yaml", "text"]]}).encode()
    configuration = runtime.decode_configuration(old)
    assert configuration.paraphrase == ""
    assert not configuration.runs_here


def test_training_is_reproducible_and_says_what_it_was_trained_on() -> None:
    small = [e for index, e in enumerate(examples.bundled()) if index % 24 == 0 and e.language == "en"]
    embedder = embedding.bundled()
    first, second = (train.train(small, embedder, classifier.bundled()) for _ in range(2))
    assert first == second
    parameters = paraphrase.ParaphraseModel(first, embedder, classifier.bundled()).parameters
    assert parameters.trained_on == train.trained_on(train.lines_of(small))
    assert parameters.trained_on != train.trained_on(train.lines_of(small[1:]))


def test_a_line_that_is_benign_for_one_tactic_and_shows_another_is_not_benign() -> None:
    both = [examples.Example("do a spin", "dare", "en", True), examples.Example("do a spin", "secrecy", "en", False)]
    assert [line.tactics for line in train.lines_of(both)] == [frozenset({"dare"})]


def test_variants_are_seeded_and_differ_from_the_line() -> None:
    import random

    made = variants("are you home with your parents", 3, random.Random(1))
    assert made == variants("are you home with your parents", 3, random.Random(1))
    assert len(set(made)) == len(made) > 0
    assert "are you home with your parents" not in made


def test_vectors_from_the_cache_are_those_that_are_made(tmp_path: Path) -> None:
    embedder, texts = embedding.bundled(), ["add me on the other app", "", "nice drawing"]
    made = embedder.many(texts)
    for _ in range(2):
        assert (embedder.many_kept(texts, tmp_path) == made).all()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"\x55")
    assert (embedder.many_kept(texts, tmp_path) == made).all(), "a damaged file was believed"
    assert (embedder.many_kept(texts[:2], tmp_path) == made[:2]).all()
