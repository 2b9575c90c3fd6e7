#!/usr/bin/python3
"""Run explorers with a mutant each (tests/mutation/mutants.toml): each has to find a difference within a minute, of a
machine that has time.

usage: find_mutants.py NAME=EXPLORER...     (TAP)"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "mutation"))
from mutants import load  # noqa: E402

SECONDS = 60 * max(1.0, min(os.getloadavg()[0] / (os.cpu_count() or 1), 8.0))


def run(mutant, explorer):
    began = time.monotonic()
    arguments = [explorer, "--for", str(SECONDS), "--unshrunk", *mutant.test.split()[1:]]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    said = re.search(r"^DIFFERENCE.*$", done.stderr, re.M)
    return done.returncode == 1, took, said.group(0)[:160] if said else done.stderr[-160:]


def main():
    mutants, rows, failed = load(), sys.argv[1:], 0
    print(f"1..{len(rows)}")
    for number, row in enumerate(rows, 1):
        name, explorer = row.split("=", 1)
        found, took, said = run(mutants[name], explorer)
        failed += not found
        print(f"{'ok' if found else 'not ok'} {number} - {name}: {mutants[name].breaks}")
        print(f"# {took:.1f} s: {said}", flush=True)
    return 1 if failed else 0


sys.exit(main())
