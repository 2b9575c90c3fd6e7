"""What one packet causes may be much work: it is spread over turns, in order, and other clients do not wait for it. (The
work of a turn, counted: tests/sim/test_turn.c.)"""

import contextlib
import itertools
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from control import CTL
from latency import best, p99, processors_for_load
from turn_load import KINDS, LEVELS, TOPIC
from wire import Wire

LOAD = Path(__file__).with_name("turn_load.py")
RULES = {"roles": {"all": ["allow all #"]}, "anonymous": {"rules": ["allow all #", "allow subscribe $SYS/#"]}}


@pytest.fixture
def broker(new_broker, request):
    """With a Unix socket as the second listener."""
    kind = request.node.callspec.params.get("kind") if hasattr(request.node, "callspec") else None
    broker = new_broker(acl=RULES, config={"workers": 1,
                                         "limits": {"receive_maximum": 1000, "sessions_per_user": 10000},
                                         "authentication": {"anonymous": True, "anonymous_sessions": True}})
    if kind in ("queues", "space"):
        broker.config["persistence"] = {"directory": "store"}
    if kind == "space":
        broker.config["limits"] |= {"queue_messages": 100000, "queue_bytes": "100M"}
        broker.config["persistence"]["max_size"] = "4M"
    broker.config["listeners"].append({"bind": f"unix:{broker.directory}/socket"})
    broker.write()
    with broker:
        yield broker


def overlapping(count):
    """Filters that all match TOPIC."""
    return ["/".join("+" if i >> level & 1 else "a" for level in range(LEVELS)) for i in range(count)]


@pytest.mark.parametrize("retain", [False, True], ids=["live", "retained"])
def test_a_long_fan_out_keeps_the_order(broker, retain):
    """[MQTT3-4.6.0-5] [MQTT5-4.6.0-6] Messages of one publisher, and for a retained topic those of all, stay in their order while
    others are served."""
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(Wire(broker)) for _ in range(3)]
        for reader in readers:
            reader.subscribe(*overlapping(2000), qos=0)
        good = stack.enter_context(Wire(broker))
        good.subscribe("good", qos=0)
        publishers = [stack.enter_context(Wire(broker)) for _ in range(2)]
        for number in range(20):
            for publisher in publishers:
                publisher.publish(TOPIC, str(number).encode(), retain=retain)
            good.publish("good", b"x")
            assert good.message().payload == b"x"
        for publisher in publishers:
            publisher.settle()
        seen = [[int(reader.message().payload) for _ in range(40)] for reader in readers]
        assert all(sorted(numbers) == sorted([*range(20)] * 2) for numbers in seen)
        if retain:
            assert seen[0] == seen[1] == seen[2]


def test_what_is_published_after_a_long_fan_out_arrives_after_it(broker):
    """[MQTT3-4.6.0-6] [MQTT5-4.6.0-5] Also to a filter of its own."""
    with Wire(broker) as reader, Wire(broker) as publisher:
        reader.subscribe("after", *overlapping(4000), qos=0)
        for number in range(10):
            publisher.publish(TOPIC, str(number).encode())
            publisher.publish("after", str(number).encode())
        seen = [reader.message() for _ in range(20)]
        assert [one.payload for one in seen] == [str(n // 2).encode() for n in range(20)]
        assert [one.topic for one in seen] == [TOPIC, "after"] * 10


def test_others_are_served_while_values_are_deleted(new_broker):
    """Each deletion is a message to very many filters; between two steps of it others have a turn."""
    topics = [f"{TOPIC}/{n}" for n in range(32)]
    with new_broker(acl=RULES, config={"workers": 1, "control": {"socket": "control.sock"}}) as broker, \
            contextlib.ExitStack() as stack:
        good = stack.enter_context(Wire(broker))
        for topic in topics:
            good.publish(topic, b"x", qos=1, retain=True)
        reader = stack.enter_context(Wire(broker))
        reader.subscribe(*(f"{name}/#" for name in overlapping(3000)), qos=0, options=0x20)  # no retained messages
        with subprocess.Popen([CTL, "-c", "broker.yaml", "delete-retained", f"{TOPIC}/#", "--yes"], cwd=broker.directory,
                              env=broker.environment, stdout=subprocess.PIPE, text=True) as deletion:
            served = 0
            while deletion.poll() is None:
                good.settle()
                served += 1
            assert deletion.returncode == 0
            assert deletion.stdout.read().count(TOPIC) == len(topics)
        assert served > 100
        assert sorted(reader.message().topic for _ in topics) == sorted(topics)


def test_the_journal_leaves_the_processor_to_others(new_broker):
    """Its thread has a tenth of a processor that a worker wants, too."""
    with new_broker(config={"persistence": {"directory": "store"}}) as broker:
        nice = {}
        for task in Path(f"/proc/{broker.process.child.pid}/task").iterdir():
            name, rest = (task / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
            nice[name] = int(rest.split()[16])
        assert nice["journal"] == min(19, nice["worker-0"] + 10)


@contextlib.contextmanager
def load(broker, kind, processors):
    """Clients of that kind, in a process of their own; they begin."""
    def settle():
        os.sched_setaffinity(0, processors)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    child = subprocess.Popen([sys.executable, LOAD, broker.addresses[1], kind, str(broker.process.pid)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, preexec_fn=settle)
    try:
        assert child.stdout.readline() == "ready\n"
        child.stdin.write("\n")
        child.stdin.flush()
        yield
    finally:
        child.kill()
        child.wait()


@pytest.fixture
def processors():
    with processors_for_load() as theirs:
        yield theirs


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_a_good_pair_beside(processors, broker, kind):  # the broker starts on its processors
    """Its p99 is at most 3 times the quiet one, the best of three beside the best of three."""
    quiet, busy = [], []
    pid = broker.process.pid
    # Not silent for too long, where the load takes its time to connect: neither sends PINGREQ.
    with Wire(broker, keep_alive=0) as sender, Wire(broker, keep_alive=0) as receiver:
        receiver.subscribe("good/x", qos=0)
        for _ in itertools.repeat(None, 3):
            quiet.append(p99((sender, receiver), "good/x", pid))
            with load(broker, kind, processors):
                busy.append(p99((sender, receiver), "good/x", pid))
            print(f"{kind}: p99 quiet {quiet[-1]}, busy {busy[-1]}")
    ratio = best(busy) / best(quiet)
    assert ratio <= 3, ratio
