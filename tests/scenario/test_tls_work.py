"""TLS work before any login: expensive records without progress are counted, end the connection, and do not affect
others."""

import contextlib
import os
import re
import subprocess
import time

import pytest
from latency import best, p99, processors_for_load
from wire import Wire, fresh_address

ATTACK = os.environ.get("VAKT_TLS_ATTACK")
FLOOD = 4 * 65536  # bytes for each connection, made before the first is sent
COUNTED = re.compile(r"records without data (since the last whole MQTT packet|in a second)")


@contextlib.contextmanager
def attack(broker, kind, connections, flood=2048, processors=None):
    """Attackers that never log in, as many as that at a time; all start at once, with so many bytes ready to be sent.
    Yields a function that stops them and reports what they did."""
    def settle():
        os.nice(10)
        if processors:
            os.sched_setaffinity(0, processors)
    child = subprocess.Popen([ATTACK, "127.0.0.1", str(broker.port), kind, str(connections), str(flood)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=settle)

    def end():
        said, _ = child.communicate(timeout=60)
        return {name: int(value) for name, value in (word.split("=") for word in said.split())}
    try:
        assert child.stdout.readline() == "ready\n"
        child.stdin.write("\n")
        child.stdin.flush()
        yield end
    finally:
        child.kill()
        child.wait()


@contextlib.contextmanager
def good_pair(broker):
    """A sender and a receiver that are logged in. Neither sends PINGREQ, however long the attackers take to connect."""
    quiet = {"keep_alive": 0}
    with Wire(broker, source=fresh_address(), **quiet) as sender, Wire(broker, source=fresh_address(), **quiet) as receiver:
        receiver.subscribe("work/#", qos=0)
        yield sender, receiver


@pytest.mark.parametrize("kind", ["key-updates", "warnings", "empty", "renegotiation"])
def test_records_without_progress_end_the_connection(new_broker, kind):
    """The line names the peer, what was counted, the number and the bound; others are served meanwhile."""
    with new_broker() as broker:
        with attack(broker, kind, 3) as end:
            for _ in range(3):
                said = broker.wait_log("tls-excess", counted=COUNTED.fullmatch)
                assert said["peer"].startswith("127.0.0.1:")
                assert int(said["bound"]) < int(said["number"]) <= int(said["bound"]) + 4
            with Wire(broker, source=fresh_address()) as client:
                client.settle()
            while not broker.logged("tls-excess")[2:]:
                time.sleep(0.01)
            assert end()["sent"] > 0
        assert not broker.logged("tls-broken")


def test_data_is_only_delayed(new_broker):
    """Bytes of a CONNECT that never ends, each in its own record: no reason to close before limits.connect_timeout."""
    with new_broker(config={"limits": {"connect_timeout": "2s"}}) as broker:
        with attack(broker, "bytes", 3):
            broker.wait_log("connection-closed-before-connect", cause=lambda cause: "connect_timeout" in cause)
            with Wire(broker, source=fresh_address()) as client:
                client.settle()
        assert not broker.logged("tls-excess")
        assert not broker.logged("tls-broken")


@pytest.fixture
def attackers_processors():
    with processors_for_load() as theirs:
        yield theirs


@pytest.mark.full
@pytest.mark.parametrize("kind", ["key-updates", "warnings", "empty", "bytes", "renegotiation"])
def test_a_good_pair_beside_fifty(new_broker, attackers_processors, kind):
    """50 connections that cause work and never log in leave the p99 of a good pair at most 3 times the quiet one, the best of
    three beside the best of three."""
    quiet, busy = [], []
    config = {"workers": 1, "limits": {"connect_timeout": "120s"}}
    with new_broker(config=config) as broker, good_pair(broker) as pair:
        for _ in range(3):
            quiet.append(p99(pair, "work/x", broker.process.pid))
            with attack(broker, kind, 50, FLOOD, attackers_processors):
                busy.append(p99(pair, "work/x", broker.process.pid))
            print(f"{kind}: p99 quiet {quiet[-1]}, beside 50 attackers {busy[-1]}")
    ratio = best(busy) / best(quiet)
    assert ratio <= 3, ratio
