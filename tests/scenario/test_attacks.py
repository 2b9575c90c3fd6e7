"""tests/attack/run: each attack runs beside a good pair, and does what it says. (What a broker without sanitizers makes of them is
measured there: speed is no matter of this file.)"""

import importlib
import json
import subprocess
import sys

import pytest
from broker_fixture import ROOT
from timeouts import scaled_timeout

RUN = ROOT / "tests/attack/run"
sys.path.append(str(RUN.parent))
NAMES = list(importlib.import_module("load").ATTACKS)


def run(*words, status=0):
    done = subprocess.run(["/usr/bin/python3", RUN, *words], capture_output=True, text=True, check=False, timeout=scaled_timeout(600))
    assert done.returncode == status, done.stdout + done.stderr
    return done


def attack(tmp_path, *names, rounds=1, messages=100, **options):
    facts = tmp_path / "facts"
    run("--rounds", str(rounds), "--messages", str(messages), "--json", str(facts), *names, **options)
    return {fact["attack"]: fact for fact in map(json.loads, facts.read_text().splitlines())}


def test_names():
    listed = [line.split(None, 1) for line in run("--list").stdout.splitlines()]
    assert [name for name, text in listed if text] == NAMES
    assert "no attack is named nonsense" in run("nonsense", status=1).stderr


def test_guesses_are_refused_and_said(tmp_path):
    fact = attack(tmp_path, "guessing-8", messages=200)["guessing-8"]
    assert fact["refused"] > 0 and fact["events"]["wrong-password"] > 0, fact
    assert fact["rss_most_mb"] >= fact["rss_mb"] > 0 and fact["cpu"] > 0 and fact["ratio"] > 0, fact


def test_bytes_are_held_back(tmp_path):
    """Of 8 clients that send what they can: three seconds' worth, and what the sockets take."""
    fact = attack(tmp_path, "byte-flood", messages=50)["byte-flood"]
    assert 0 < fact["did"]["bytes"] < 200e6, fact


def test_a_bound():
    """That nothing can keep: the exit status says so."""
    run("--rounds", "1", "--messages", "20", "--bound", "0", "names", status=1)


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_the_good_pair(name):
    """Its p99 is at most three times the quiet one."""
    run("--bound", "3", name)
