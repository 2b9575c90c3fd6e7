"""How long a good client waits beside others that load the broker."""

import contextlib
import os
import time

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


@processor_at_once()
def p99(pair, topic, messages=400, pace_s=0.01):
    """Seconds from the time at which a PUBLISH was due to its arrival: a late one makes the next ones late, too, so a
    pause of the broker counts with its whole length."""
    sender, receiver = pair
    times = []
    began = time.monotonic()
    for number in range(messages):
        due = began + number * pace_s
        time.sleep(max(0, due - time.monotonic()))
        sender.publish(topic, b"x")
        while receiver.take().kind != mqtt.PUBLISH:
            pass
        times.append(time.monotonic() - due)
    return sorted(times)[messages * 99 // 100]


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
