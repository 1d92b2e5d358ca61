"""The tests of the pages of reports share rooms, accounts and browsers with those of people and of the console."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / name) for name in ("people", "console")]
