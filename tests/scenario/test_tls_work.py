"""TLS work before any login: what costs much and moves nothing is counted and ended, and costs others nothing."""

import contextlib
import os
import re
import subprocess
import time

import mqtt
import pytest
from wire import Wire, fresh_address

ATTACK = os.environ.get("VAKT_TLS_ATTACK")
COUNTED = re.compile(r"records without data (since the last whole MQTT packet|in a second)")


@contextlib.contextmanager
def attack(house, kind, connections):
    """Attackers that never log in, as many as that at a time. Yields a function that ends them and tells what they did."""
    child = subprocess.Popen([ATTACK, "127.0.0.1", str(house.port), kind, str(connections)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.nice(10))

    def end():
        said, _ = child.communicate(timeout=60)
        return {name: int(value) for name, value in (word.split("=") for word in said.split())}
    try:
        yield end
    finally:
        child.kill()
        child.wait()


def round_trips(house, seconds, least=1):
    """Seconds from each PUBLISH to its arrival at another client, one at a time, in order of size."""
    times = []
    with Wire(house, source=fresh_address()) as sender, Wire(house, source=fresh_address()) as receiver:
        receiver.subscribe("work/#", qos=0)
        until = time.monotonic() + seconds
        while time.monotonic() < until or len(times) < least:
            started = time.monotonic()
            sender.publish("work/x", b"x")
            while receiver.take().kind != mqtt.PUBLISH:
                pass
            times.append(time.monotonic() - started)
    return sorted(times)


@pytest.mark.parametrize("kind", ["key-updates", "warnings", "empty", "renegotiation"])
def test_what_moves_nothing_is_ended(new_house, kind):
    """The line names the peer, what was counted, the number and the bound; others are served meanwhile."""
    with new_house() as house:
        with attack(house, kind, 3) as end:
            for _ in range(3):
                said = house.wait_log("tls-excess", counted=COUNTED.fullmatch)
                assert said["peer"].startswith("127.0.0.1:")
                assert int(said["bound"]) < int(said["number"]) <= int(said["bound"]) + 4
            with Wire(house, source=fresh_address()) as client:
                client.settle()
            while not house.logged("tls-excess")[2:]:
                time.sleep(0.01)
            assert end()["sent"] > 0
        assert not house.logged("tls-broken")


def test_data_is_only_delayed(new_house):
    """Bytes of a CONNECT that never ends, each in its own record: no reason to close before limits.connect_timeout."""
    with new_house(config={"limits": {"connect_timeout": "2s"}}) as house:
        with attack(house, "bytes", 3):
            house.wait_log("connection-dropped", cause=lambda cause: "connect_timeout" in cause)
            with Wire(house, source=fresh_address()) as client:
                client.settle()
        assert not house.logged("tls-excess")
        assert not house.logged("tls-broken")


def p99(times):
    return times[len(times) * 99 // 100]


@pytest.mark.full
@pytest.mark.parametrize("kind", ["key-updates", "warnings", "empty", "bytes", "renegotiation"])
def test_a_good_pair_beside_fifty(new_house, kind):
    """50 connections that make work and never log in leave the p99 of a good pair at most 3 times the quiet one."""
    best = None
    with new_house(config={"limits": {"connect_timeout": "60s"}}) as house:
        for _ in range(3):
            quiet = p99(round_trips(house, 3, least=300))
            with attack(house, kind, 50):
                busy = p99(round_trips(house, 3, least=300))
            print(f"{kind}: p99 quiet {quiet * 1e3:.2f} ms, beside 50 attackers {busy * 1e3:.2f} ms")
            best = busy / quiet if best is None else min(best, busy / quiet)
    assert best <= 3
