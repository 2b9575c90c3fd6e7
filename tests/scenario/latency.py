"""How long a good client waits beside others that load the broker, and how much of it is the broker's doing: on a machine
with other work its thread waits for a processor, too."""

import contextlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import mqtt
import pytest


@contextlib.contextmanager
def processor_at_once():
    """Clients on a machine of their own need not wait until the broker leaves its processor to them: nor do these, where the
    system permits it."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class Thread:
    """What the kernel counts of a thread."""

    def __init__(self, task):
        self.file = os.open(task / "schedstat", os.O_RDONLY)

    def times(self):
        """Seconds in which it ran, and in which it could have run and others did."""
        ran, waited, _ = os.pread(self.file, 100, 0).split()
        return int(ran) * 1e-9, int(waited) * 1e-9

    def close(self):
        os.close(self.file)


class Waits:
    """Time in which the broker's worker, or the good pair, waited for a processor that neither the broker nor the pair had.
    Other threads of the broker may keep its worker waiting: that is the broker's doing."""

    def __init__(self, pid):
        workers, self.others = [], []
        for task in Path(f"/proc/{pid}/task").iterdir():
            name = (task / "comm").read_text()
            (workers if name.startswith("worker-") else self.others).append(Thread(task))
        self.worker, = workers
        self.pair = Thread(Path(f"/proc/self/task/{threading.get_native_id()}"))

    def now(self):
        ran, waited = self.worker.times()
        return ran, waited, self.pair.times()[1], sum(thread.times()[0] for thread in self.others)

    @staticmethod
    def foreign(before, after):
        _, worker, pair, others = (b - a for a, b in zip(before, after, strict=True))
        return max(0, worker - others) + pair

    def close(self):
        for thread in (self.worker, self.pair, *self.others):
            thread.close()


@dataclass
class Latency:
    """The p99: as it was seen; and as it would have been without waits for a processor that others had."""
    seen: float
    own: float
    ran: float  # the worker, of all the time
    waited: float

    def __str__(self):
        return (f"{self.own * 1e3:.2f} ms (seen: {self.seen * 1e3:.2f} ms; the worker ran {self.ran:.0%} of the time and waited"
                f" {self.waited:.0%})")


def best(latencies):
    """What the broker can do: other work on the machine makes its caches cold, too."""
    return min(one.own for one in latencies)


def centile99(times):
    return sorted(times)[len(times) * 99 // 100]


@processor_at_once()
def p99(pair, topic, pid, messages=400, pace_s=0.01):
    """From the time at which a PUBLISH was due to its arrival: a late one makes the next ones late, too, so a pause of the
    broker counts with its whole length. `pid`: the broker's, which has one worker."""
    sender, receiver = pair
    waits = Waits(pid)
    seen, own, free = [], [], 0  # free: when the next one could have left, had nobody waited for others
    first = before = waits.now()
    began = time.monotonic()
    for number in range(messages):
        due = began + number * pace_s
        time.sleep(max(0, due - time.monotonic()))
        before, sent = waits.now(), time.monotonic()
        sender.publish(topic, b"x")
        while receiver.take().kind != mqtt.PUBLISH:
            pass
        arrived = time.monotonic()
        took = arrived - sent - waits.foreign(before, waits.now())
        free = max(due, free) + max(0, took)
        seen.append(arrived - due)
        own.append(free - due)
    ran, waited = (b - a for a, b in zip(first[:2], waits.now()[:2], strict=True))
    waits.close()
    spent = time.monotonic() - began
    return Latency(centile99(seen), centile99(own), ran / spent, waited / spent)


@contextlib.contextmanager
def processors_for_load():
    """A processor for those who load the broker, who are on another machine in life; the broker and the good pair get
    the rest."""
    ours = os.sched_getaffinity(0)
    theirs = {max(ours)}
    if ours == theirs:
        pytest.skip("those who load the broker would share its only processor")
    os.sched_setaffinity(0, ours - theirs)
    try:
        yield theirs
    finally:
        os.sched_setaffinity(0, ours)
