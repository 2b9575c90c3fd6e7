"""Reloads while clients connect to all workers and move between them: after each, no refused client is connected. The
thread sanitizer runs this file."""

import signal
import ssl
import threading

import pytest
from wire import Closed, Wire, tls_context

WORKERS, THREADS, ROUNDS = 4, 4, 3
GONE = (Closed, OSError, ssl.SSLError, AssertionError)


@pytest.fixture(scope="module")
def broker(new_broker, pki):
    ca = pki.authority("storm")
    pki.client("storm", "storm-bad", "bad")
    pki.client("storm", "storm-good", "good")
    crl = pki.revoke("storm", "storm.crl")
    config = {"workers": WORKERS, "authentication": {"certificate_user": "cn"},
              "tls": {"client_certificates": "optional", "client_ca": str(ca), "client_crl": str(crl)}}
    with new_broker(users={"good": ["all"], "bad": ["all"], "anna": ["all"]}, config=config) as h:
        yield h


def reload(broker):
    mark = broker.mark()
    broker.process.signal(signal.SIGHUP)
    broker.wait_log("reloaded", mark, timeout_s=60)


class Visitor(threading.Thread):
    """Connects again and again until it was refused after the reload."""

    def __init__(self, broker, reloaded):
        super().__init__()
        self.broker, self.reloaded = broker, reloaded
        self.inside, self.late, self.tried = [], [], threading.Event()

    def run(self):
        context = tls_context(self.broker.pki, certificate="storm-bad")
        while True:
            late = self.reloaded.is_set()
            try:
                wire = Wire(self.broker, 4 + len(self.inside) % 2, user=None, password=None, context=context, expect=None)
            except GONE:
                wire = None
            self.tried.set()
            if wire is not None and wire.connack.reason == 0:
                (self.late if late else self.inside).append(wire)
            if late:
                return


def revoke(broker, on):
    broker.pki.revoke("storm", "storm.crl", *(["storm-bad"] if on else []))


def lock(broker, on):
    broker.passwd("lock" if on else "unlock", "bad")


@pytest.mark.parametrize("forbid", [revoke, lock])
def test_no_refused_client_stays_after_a_reload(broker, forbid):
    good = Wire(broker, user=None, password=None, context=tls_context(broker.pki, certificate="storm-good"))
    for _ in range(ROUNDS):
        reloaded = threading.Event()
        visitors = [Visitor(broker, reloaded) for _ in range(THREADS)]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.tried.wait()
        forbid(broker, True)
        reload(broker)
        reloaded.set()
        for visitor in visitors:
            visitor.join()
            assert visitor.late == []
            for wire in visitor.inside:
                said = wire.expect_close()
                assert wire.version == 4 or said.reason == 0x87
        assert any(visitor.inside for visitor in visitors)
        forbid(broker, False)
        reload(broker)
        good.settle()
    good.close()
