"""A machine whose clock is wrong for a while: "Restart" in broker(8). A library that is preloaded into the broker gives it
a wall clock that the test sets while it runs; its monotonic clocks stay as they are."""

import http.client
import os
import signal
import ssl
import time

import mqtt
import pytest
from broker_fixture import ROOT, free_bind
from test_reload import reload
from wire import Closed, Wire, tls_context

LIBRARY = os.environ.get("VAKT_WALL_CLOCK", str(ROOT / "build/tests/scenario/drivers/wall_clock.so"))
DAY_S = 24 * 3600
DAY = {"session_expiry_interval": DAY_S}
RIGHT = 0
TEN_YEARS = 10 * 365 * DAY_S


def unset():
    """A board without a clock of its own: 1970, 100 seconds after the start."""
    return 100 - int(time.time())


class Clock:
    def __init__(self, directory):
        self.file, self.suspended = directory / "clock", directory / "suspended"
        self.environment = {
            "LD_PRELOAD": LIBRARY, "VAKT_WALL_CLOCK": str(self.file), "VAKT_SUSPENDED": str(self.suspended),
            # The library stands before the sanitizer's.
            "ASAN_OPTIONS": "halt_on_error=1:detect_leaks=0:verify_asan_link_order=0"}
        self.set(RIGHT)

    def set(self, wrong_by_s):
        self.write(self.file, wrong_by_s)

    def suspend(self, seconds):
        """So long the machine has been suspended; the wall clock goes on."""
        self.write(self.suspended, seconds)
        self.set(seconds)

    @staticmethod
    def write(file, seconds):
        """At once for whoever reads it: the file is replaced, never half-written."""
        new = file.with_suffix(".new")
        new.write_text(f"{seconds}\n")
        new.rename(file)


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


@pytest.fixture
def broker(new_broker, clock):
    broker = new_broker(config={"persistence": {"directory": "store"}}, environment=clock.environment)
    yield broker
    if broker.process is not None:
        broker.stop()


def store_something(broker):
    with Wire(broker, client_id="kept", clean=False, props=DAY) as sub:
        sub.subscribe("queue/#")
        sub.disconnect()
    with Wire(broker) as pub:
        pub.publish("queue/1", b"waits", qos=1)
        pub.publish("retained/1", b"stays", qos=1, retain=True, props={"message_expiry_interval": DAY_S})


def require_all(broker):
    with Wire(broker, client_id="kept", clean=False, props=DAY) as sub:
        assert sub.connack.session_present
        assert sub.message().payload == b"waits"
        sub.subscribe("retained/#")
        message = sub.message()
        assert message.payload == b"stays" and message.props["message_expiry_interval"] > DAY_S - 3600
        sub.disconnect()


@pytest.mark.parametrize("end", ["stopped", "killed"])
@pytest.mark.parametrize("wrong", [unset, lambda: TEN_YEARS], ids=["1970", "2036"])
def test_a_clock_that_is_wrong_at_the_first_start_ends_nothing(broker, clock, wrong, end):
    clock.set(wrong())
    broker.start()
    store_something(broker)
    mark = broker.mark()
    clock.set(RIGHT)
    broker.wait_log("clock-set", mark)
    if end == "stopped":
        broker.stop()
    else:
        broker.crash()
    broker.start()
    require_all(broker)


@pytest.mark.parametrize("wrong", [unset, lambda: TEN_YEARS, lambda: -2 * DAY_S], ids=["1970", "2036", "back"])
def test_a_clock_that_is_wrong_at_a_later_start_ends_nothing(broker, clock, wrong):
    broker.start()
    store_something(broker)
    broker.stop()
    clock.set(wrong())
    broker.start()
    assert broker.logged("clock-doubted")[0]["cause"]
    require_all(broker)


def test_downtime_counts_where_the_clock_can_be_believed(broker, clock):
    broker.start()
    store_something(broker)
    broker.stop()
    clock.set(DAY_S // 2)
    broker.start()
    assert not broker.logged("clock-doubted")
    with Wire(broker, client_id="kept", clean=False, props=DAY) as sub:
        assert sub.connack.session_present
        sub.subscribe("retained/#")
        while (message := sub.message()).topic != "retained/1":
            pass
        assert abs(message.props["message_expiry_interval"] - DAY_S // 2) < 600
        sub.disconnect()
    broker.stop()
    clock.set(2 * DAY_S)
    broker.start()
    with Wire(broker, client_id="kept", clean=False, props=DAY) as sub:
        assert not sub.connack.session_present
        sub.subscribe("retained/#")
        sub.settle()
        assert not sub.messages


def connects(broker, context, **options):
    try:
        with Wire(broker, user=None, password=None, context=context, **options):
            return True
    except (ssl.SSLError, Closed, ConnectionError):
        return False


def test_certificates_are_valid_as_soon_as_the_clock_is_set(new_broker, pki, clock):
    """Nothing is remembered: the client's next attempt gets in, and nothing has to be restarted."""
    pki.client("clients", "cert-user", "cert-user")
    context = tls_context(pki, certificate="cert-user")
    clock.set(unset())
    broker = new_broker(environment=clock.environment, config={
        "tls": {"client_certificates": "required", "client_ca": str(pki.path("clients.crt"))},
        "authentication": {"certificate_user": "cn"}})
    broker.add_user("cert-user", ["all"], password=False)
    with broker:
        assert broker.wait_log("clock-not-set")["clock"].startswith("1970-01-01")
        assert broker.wait_log("certificate-not-yet-valid")["not_before"]
        mark = broker.mark()
        assert not connects(broker, context)
        assert "the broker's clock is not set" in broker.wait_log("handshake-failed", mark)["cause"]
        clock.set(RIGHT)
        assert connects(broker, context)
        broker.wait_log("clock-set", mark)
        assert not broker.logged("certificate-expires", mark) and not broker.logged("certificate-expired", mark)


def test_a_clock_that_is_set_back_ends_no_connection(new_broker, pki, clock):
    pki.client("clients", "cert-user", "cert-user")
    pki.revoke("clients", "clients.crl")
    broker = new_broker(environment=clock.environment, config={
        "tls": {"client_certificates": "required", "client_ca": str(pki.path("clients.crt"))},
        "authentication": {"certificate_user": "cn"}})
    broker.add_user("cert-user", ["all"], password=False)
    with broker, Wire(broker, user=None, password=None, keep_alive=60,
                      context=tls_context(pki, certificate="cert-user")) as client:
        mark = broker.mark()
        clock.set(unset())
        broker.wait_log("clock-set", mark)
        broker.config["tls"]["client_crl"] = str(pki.path("clients.crl"))  # certificates are verified again
        broker.write()
        reload(broker)
        client.publish("t/x", b"1", qos=1)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_certificate_that_ends_ends_its_connections(new_broker, pki, clock, version):
    """Of MQTT, of WebSocket, of a script, of a resumed session; that of another stays, and so does the session."""
    pki.client("ending-clients", "ends-soon", "porch", "days=20")
    pki.client("ending-clients", "ends-later", "porch", "days=300")
    listeners = [{"bind": free_bind()}, {"bind": free_bind(), "protocol": "https", "serve": ["websocket", "publish"]}]
    broker = new_broker(environment=clock.environment, users={}, config={
        "listeners": listeners, "tls": {"client_certificates": "required", "client_ca": str(pki.path("ending-clients.crt"))},
        "authentication": {"certificate_user": "cn"}})
    broker.passwd("add", "porch", "--role", "all", "--no-password", "-c")
    soon, later = (tls_context(pki, certificate=f"ends-{when}", maximum=version, minimum=version) for when in ("soon", "later"))
    options = {"user": None, "password": None, "keep_alive": 0}
    kept = {"clean": False, "props": DAY}
    with broker, Wire(broker, context=later, **options) as other:
        assert not broker.logged("connected-certificate-expires")
        with Wire(broker, context=soon, **options) as first:
            first.settle()
            said = broker.wait_log("connected-certificate-expires")
            assert said["user"] == "porch" and said["certificate"] == "CN=porch" and said["left"] in ("19 days", "20 days")
            session = first.stream.session
        script = http.client.HTTPSConnection("localhost", broker.addresses[1][1], timeout=20, context=soon)
        script.request("POST", "/publish/x", body=b"x")
        assert script.getresponse().read() is not None
        with Wire(broker, context=soon, client_id="kept", **kept, **options) as plain, \
                Wire(broker, context=soon, listener=1, **options) as websocket, \
                Wire(broker, context=soon, session=session, **options) as resumed:
            resumed.settle()
            assert resumed.stream.session_reused
            clock.set(21 * DAY_S)
            for client in (plain, websocket, resumed):
                assert client.expect_close().reason == 0x87
        with pytest.raises((http.client.HTTPException, OSError)):
            script.request("POST", "/publish/x", body=b"x")
            script.getresponse()
        assert not connects(broker, soon)
        assert not connects(broker, soon, session=session)
        other.settle()


@pytest.mark.parametrize("pause", ["suspend", "set"], ids=["suspended", "restored-from-a-snapshot"])
def test_the_machine_pauses_for_two_hours(broker, clock, pause):
    """A suspended machine, whose time counts; or one that goes on from a snapshot, for which no time has passed. Clients whose
    packets wait in the socket stay connected, and so do those that get the chance to say something."""
    broker.start()
    with Wire(broker, client_id="short", clean=False, props={"session_expiry_interval": 3600}) as sub:
        sub.disconnect()
    with Wire(broker, client_id="long", clean=False, props=DAY) as sub:
        sub.disconnect()
    with Wire(broker, keep_alive=60) as pinging, Wire(broker, keep_alive=60) as silent:
        mark = broker.mark()
        broker.process.stop_running()
        pinging.send(mqtt.packet(mqtt.PINGREQ, 0, b""))
        getattr(clock, pause)(2 * 3600)
        broker.process.signal(signal.SIGCONT)
        pinging.expect(mqtt.PINGRESP)
        silent.settle()
        if pause == "suspend":  # after some seconds in which it may come back
            broker.wait_log("session-expired", mark, client_id="short")
        for client_id, present in (("short", pause == "set"), ("long", True)):
            with Wire(broker, client_id=client_id, clean=False, props=DAY) as sub:
                assert sub.connack.session_present == present, client_id
        pinging.settle()
