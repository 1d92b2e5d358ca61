"""What detection reached on held-out lines is not lost again. The goals lie higher: see docs/measurements.md."""

from __future__ import annotations

import pytest

from upstander import runtime
from upstander.evaluate import functional, suites
from upstander.evaluate.split import Part

#: Pooled recall at least, and benign twins reaching notice at most. The goals are 0.90 and 0.03 a tactic in English.
FLOORS = {"en": (0.70, 0.04), "es": (0.50, 0.07), "pt": (0.52, 0.06), "fr": (0.46, 0.04), "de": (0.40, 0.03)}


@pytest.mark.parametrize("language", sorted(FLOORS))
def test_held_out_lines_stay_as_well_seen_as_they_were(language: str) -> None:
    report = functional.run(
        suites.load(Part.HELD_OUT, language), Part.HELD_OUT, runtime.Runtime(runtime.current()), variants=False
    )
    recall, benign = functional.overall(report)
    least, most = FLOORS[language]
    assert recall >= least
    assert benign <= most
