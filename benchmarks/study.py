"""One million coded items: the full report (page, PDF and JSON), from the study's folder to the files.

Limits: under 20 s and under 2 GB. A twentieth of the items is coded twice. The items are invented before, in another
process, so that its memory is not counted; the report runs in a process of its own too, as the command does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import emit

ITEMS = 1_000_000
MAKE = """
import sys
from datetime import date
from pathlib import Path
from upstander.study import folder, invented
study = folder.create(Path(sys.argv[1]), "One million invented items", date(2026, 1, 1), {"double_share": 0.05})
invented.fill(study, int(sys.argv[2]))
"""
REPORT = """
import json, os, resource, sys, time
from upstander.cli import group
began = time.perf_counter()
with open(sys.argv[2] + "/report.json", "wb", buffering=0) as file:
    standard = os.dup(1)
    os.dup2(file.fileno(), 1)
    arguments = ["study", "report", sys.argv[1], "--html", sys.argv[2] + "/report.html"]
    group.main([*arguments, "--pdf", sys.argv[2] + "/report.pdf", "--json"], standalone_mode=False)
    sys.stdout.flush()
    os.dup2(standard, 1)
taken, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": round(taken, 2), "peak_mb": round(peak), "cpu_s": round(time.process_time(), 2)}))
"""


def run(script: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        began = time.perf_counter()
        run(MAKE, str(study), str(ITEMS))
        made_s = time.perf_counter() - began
        found = json.loads(run(REPORT, str(study), folder).splitlines()[-1])
        report = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))
        sizes = {name: (Path(folder) / f"report.{name}").stat().st_size for name in ("html", "pdf", "json")}
        # A report that says nothing would be quick too.
        complete = report["tables"]["n"] > 0.9 * ITEMS and all(size > 20_000 for size in sizes.values())
        tables, counted = len(report["tables"]["tables"]), report["tables"]["n"]
    emit(
        "study",
        {"seconds < 20": found["seconds"] < 20, "peak_mb < 2048": found["peak_mb"] < 2048, "complete": complete},
        items=ITEMS,
        counted=counted,
        tables=tables,
        bytes=sizes,
        made_s=round(made_s, 1),
        **found,
    )


if __name__ == "__main__":
    main()
