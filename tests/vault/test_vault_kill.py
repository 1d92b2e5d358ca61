"""Killed at random instants while it seals and deletes: nothing accepted is lost, and the vault is whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from vault_support import chat, checked, new_vault, objects, settings_in

from upstander.vault import opening

KILLS = 12
#: Seals items without end and says each address once it was accepted; deletes every fifth.
WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from vault_support import chat, settings_in
from upstander.vault import opening
vault = opening.open_vault(settings_in(Path(sys.argv[1])))
number = int(sys.argv[3])
while True:
    number += 1
    (address,) = vault.seal([chat(number)], "case-1", 0, "a decision")
    print("sealed", number, address, flush=True)
    if number % 5 == 0:
        vault.delete(address, "eve", "asked to")
        print("deleted", number, address, flush=True)
"""


def test_killed_at_random_instants_nothing_that_was_accepted_is_lost(tmp_path: Path) -> None:
    seed = int(os.environ.get("UPSTANDER_SEED", random.SystemRandom().randrange(1_000_000)))
    print(f"seed {seed} (set UPSTANDER_SEED to repeat)")
    chance = random.Random(seed)
    new_vault(tmp_path).close()
    sealed: dict[str, int] = {}
    deleted: set[str] = set()
    for run in range(KILLS):
        command = [sys.executable, "-c", WORKER, str(tmp_path), str(Path(__file__).parent), str(run * 1_000)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        said = [process.stdout.readline()]  # it works by now
        time.sleep(chance.uniform(0.0, 0.25))
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read().splitlines(keepends=True)
        process.wait()
        for line in said:
            if line.endswith("\n"):
                verb, number, address = line.split()
                sealed[address] = int(number)
                if verb == "deleted":
                    deleted.add(address)
    assert len(sealed) >= KILLS and deleted, "too little was done to show anything"
    vault = opening.open_vault(settings_in(tmp_path))
    result = checked(tmp_path, vault)
    assert result.ok, result.findings
    rows = {row.address: row for row in vault.ledger.items()}
    for address, number in sealed.items():
        if address in deleted:
            assert rows[address].deleted
        elif not rows[address].deleted:  # its deletion may have been accepted without being said
            assert vault.read(address, "ann", "review") == chat(number).content
    again = max(sealed.values())
    assert vault.seal([chat(again)], "case-1", 0, "the same again")[0] in sealed
    vault.expire(now=1)
    assert not {path.parent.name + path.name for path in objects(tmp_path)} & deleted
