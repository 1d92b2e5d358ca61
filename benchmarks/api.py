"""20,000 cases of schemathesis over the whole OpenAPI document, gateway and console: what was answered, and faults.

Half of the cases are as the document says, half are not; ids in paths are those of real cases and items in most.
Limits: no server error, and no answer with a status, content type or body that the document does not have.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from common import ROOT, emit

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "people"), str(ROOT / "tests" / "console")]

from api_fuzz import TOML, Fuzz, prepare  # noqa: E402

from support import serve  # noqa: E402

ROUND = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so long, with what there is by then")
    wanted = parser.parse_args()
    asked, number, statuses, failures = 0, 0, Counter[int](), list[str]()
    began = time.monotonic()
    while asked < wanted.cases and time.monotonic() - began < wanted.minutes * 60:
        number += 1
        with tempfile.TemporaryDirectory() as name:
            prepare(Path(name))
            with serve(Path(name), TOML) as served:
                fuzz = Fuzz(served, number)
                try:
                    fuzz.run(ROUND)
                finally:
                    fuzz.close()
        asked += fuzz.asked
        statuses += fuzz.statuses
        failures += fuzz.failures
        print(f"{asked:,} cases, {len(failures)} failures", file=sys.stderr, flush=True)
        for failure in fuzz.failures[:5]:
            print(failure, file=sys.stderr, flush=True)
    errors = sum(count for status, count in statuses.items() if status >= 500 and status != 503)
    limits = {"cases": asked >= wanted.cases, "no_server_error": errors == 0, "as_documented": not failures}
    seconds = round(time.monotonic() - began)
    told = {str(status): count for status, count in sorted(statuses.items())}
    emit("api", limits, cases=asked, rounds=number, statuses=told, failures=failures[:20], seconds=seconds)


if __name__ == "__main__":
    main()
