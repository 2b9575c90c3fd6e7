"""broker-ctl, run beside a broker."""

import json
import os
import subprocess

from broker_fixture import ROOT
from process import TIMEOUT_S

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))


def run_ctl(broker, *words, status=0, prefix=(), text=True, **more):
    """With exactly these words."""
    more.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([*prefix, CTL, *words], cwd=broker.directory, env=broker.environment, capture_output=True,
                          text=text, check=False, timeout=TIMEOUT_S, **more)
    assert done.returncode == status, f"broker-ctl {words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def ctl(broker, *words, **more):
    return run_ctl(broker, "-c", "broker.yaml", *words, **more)


def rows(broker, *words):
    return [json.loads(line) for line in ctl(broker, "--json", *words).stdout.splitlines()]


def row(broker, client_id, command="clients"):
    found = [r for r in rows(broker, command) if r["client_id"] == client_id]
    return found[0] if found else None
