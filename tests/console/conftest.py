"""The tests here share accounts, browsers and clocks with those of people and rights."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "people"))
