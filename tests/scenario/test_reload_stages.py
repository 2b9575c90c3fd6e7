"""A reload at every stage of a connection: a client that would not be admitted now is not accepted, and does not
stay."""

import ctypes
import ctypes.util
import signal
import socket
import ssl

import mqtt
import pytest
from broker_fixture import free_port, logfmt
from scram import Scram, props
from wire import Closed, SteppedTls, Wire, fresh_address, tls_context

ALL = {"roles": {"all": ["allow all #"]}, "anonymous": {"rules": ["allow all t/#"]}}
OF_V3 = {3: 0x88, 4: 0x86, 5: 0x87}
VERSIONS = {"3.1.1": 4, "5.0": 5}


@pytest.fixture(scope="module")
def clients(pki):
    for name in ("stages", "stages-other"):
        pki.authority(name)
    pki.client("stages", "stages-good", "good")
    pki.client("stages", "stages-bad", "bad")
    for name in ("stages", "stages-other"):
        pki.revoke(name, f"{name}.crl")
    return pki


def slow_hash(password, rounds):
    """sha512crypt with so many rounds that it takes a second or more: the reload happens while the broker computes
    it."""
    library = ctypes.CDLL(ctypes.util.find_library("crypt"))
    library.crypt.restype = ctypes.c_char_p
    return library.crypt(password.encode(), f"$6$rounds={rounds}$stages".encode()).decode()


class Stages:
    """A broker with a listener to be changed, and clients that stop at each stage."""

    def __init__(self, broker, event, rounds):
        self.broker, self.event = broker, event
        broker.add_user("bad", ["all"], password=False)
        broker.add_user("sub", ["all"], password=False)
        broker.passwd("set", "sub", "--scram", "--iterations", "4096", "--stdin", stdin=broker.password("sub") + "\n")
        lines = (broker.directory / "users.passwd").read_text()
        broker.write_file("users.passwd", lines + f"slow:id=00000000000051e0:hash={slow_hash(broker.password('slow'), rounds)}:roles=all\n")
        broker.start()
        self.control = Wire(broker)

    def settle(self):
        """The broker has one worker: what was sent before was read before the second answer."""
        self.control.settle()
        self.control.settle()

    # a client

    def context(self):
        version = ssl.TLSVersion.TLSv1_2 if self.event.old_tls else None
        return tls_context(self.broker.pki, certificate=self.event.certificate, maximum=version)

    def dial(self):
        return socket.create_connection(self.broker.addresses[1], timeout=20, source_address=(fresh_address(), 0))

    def wire(self, version, stream):
        return Wire(self.broker, version, stream=stream, connect=False)

    def shaken(self, version):
        stream = SteppedTls(self.dial(), self.context())
        stream.shake_hands()
        self.settle()
        return self.wire(version, stream)

    def connect_packet(self, wire, user="sub"):
        user = None if self.event.anonymous or self.event.named else user
        return mqtt.connect(wire.version, wire.client_id, user=user, clean=True, keep_alive=60,
                            password=None if user is None else self.broker.password(user))

    def outcome(self, wire):
        """The broker's next answer, with the codes of 5.0."""
        try:
            packet = wire.read()
        except ssl.SSLError:
            return "no TLS"
        except Closed:
            return "closed"
        if packet.kind == mqtt.CONNACK and packet.reason == 0:
            return "accepted"
        wire.expect_close()
        if packet.kind == mqtt.DISCONNECT:
            return f"DISCONNECT {packet.reason:#x}"
        assert packet.kind == mqtt.CONNACK, packet
        return f"CONNACK {packet.reason if wire.version == 5 else OF_V3[packet.reason]:#x}"

    def login(self, wire):
        try:
            wire.send(self.connect_packet(wire))
        except (Closed, ConnectionError, ssl.SSLError):
            pass  # the answer is there
        return self.outcome(wire)

    # the stages: each waits at its yield for the reload

    def tcp_open(self, version):
        stream = self.dial()
        self.settle()
        yield
        stream = SteppedTls(stream, self.context())
        if self.event.at_once == "listener":
            assert stream.stream.recv(1) == b""
            return "closed"
        try:
            stream.shake_hands()
        except (ssl.SSLError, ConnectionError):
            return "no TLS"
        return self.login(self.wire(version, stream))

    def hello_sent(self, version):
        stream = SteppedTls(self.dial(), self.context())
        stream.say_hello()
        self.settle()
        yield
        if self.event.at_once == "listener":
            return self.outcome(self.wire(version, stream))
        stream.shake_hands()
        return self.login(self.wire(version, stream))

    def tls_done(self, version):
        wire = self.shaken(version)
        yield
        return self.outcome(wire) if self.event.at_once else self.login(wire)

    def connect_sent(self, version):
        """All bytes but one."""
        wire = self.shaken(version)
        packet = self.connect_packet(wire)
        wire.send(packet[:-1])
        self.settle()
        yield
        if not self.event.at_once:
            wire.send(packet[-1:])
        return self.outcome(wire)

    def scram_half_way(self, version):
        wire = self.shaken(version)
        scram = Scram("sub", self.broker.password("sub"))
        wire.send(mqtt.connect(5, wire.client_id, clean=True, keep_alive=60, props=props(scram.first())))
        challenge = wire.expect(mqtt.AUTH).props["authentication_data"]
        yield
        if not self.event.at_once:
            wire.send(mqtt.auth(0x18, props(scram.final(challenge))))
        self.check_time(wire)
        return self.outcome(wire)

    def accepted(self, version):
        wire = self.shaken(version)
        assert self.login(wire) == "accepted"
        wire.subscribe(f"t/{wire.client_id}")
        yield
        self.control.publish(f"t/{wire.client_id}", b"after the reload", qos=1)
        return self.outcome(wire)

    def in_hashing(self, version):
        wire = self.shaken(version)
        wire.send(self.connect_packet(wire, "slow"))
        self.settle()
        yield
        outcome = self.outcome(wire)
        self.check_time(wire)
        return outcome

    def check_time(self, wire):
        """A refusal of the connection is sent at the reload; one of the user as late as any other."""
        events = [logfmt(line) for line in self.broker.process.lines]
        refused = [i for i, e in enumerate(events) if e.get("event") == "connect-refused" and e["client_id"] == wire.client_id]
        reloaded = [i for i, e in enumerate(events) if e.get("event") == "reloaded"][-1]
        if self.event.at_once and self.event.at_once != "version":
            assert refused and refused[0] < reloaded
        else:
            assert not refused or refused[0] > reloaded


class Event:
    """What the reload changes. `at_once`: the connection itself is not admitted any more."""

    def __init__(self, *, at_once=None, certificate=None, named=False, anonymous=False, old_tls=False, want):
        self.at_once, self.certificate, self.old_tls = at_once, certificate, old_tls
        self.named, self.anonymous = named, anonymous  # by the certificate; not at all
        self.want = dict(zip(STAGES, want))

    def stages(self):
        return [stage for stage in STAGES if self.want[stage] is not None]


STAGES = ["tcp_open", "hello_sent", "tls_done", "connect_sent", "scram_half_way", "accepted", "in_hashing"]
BAD_CERTIFICATE = ["no TLS", "CONNACK 0x87", "closed", "closed", "CONNACK 0x87", "DISCONNECT 0x87", "CONNACK 0x87"]
BAD_USER = ["CONNACK 0x86"] * 5 + ["DISCONNECT 0x87", "CONNACK 0x86"]
EVENTS = {
    "certificate revoked": Event(at_once="certificate", certificate="stages-bad", want=BAD_CERTIFICATE),
    "certificate of a user revoked": Event(at_once="certificate", certificate="stages-bad", named=True,
                                           want=BAD_CERTIFICATE[:4] + [None, "DISCONNECT 0x87", None]),
    "CA removed": Event(at_once="certificate", certificate="stages-bad", want=BAD_CERTIFICATE),
    "certificate required": Event(at_once="certificate", want=BAD_CERTIFICATE),
    "user locked": Event(certificate="stages-good", want=BAD_USER),
    "user removed": Event(want=BAD_USER),
    "anonymous off": Event(anonymous=True, want=["CONNACK 0x87"] * 4 + [None, "DISCONNECT 0x87", None]),
    "listener removed": Event(at_once="listener",
                              want=["closed"] * 4 + ["CONNACK 0x88", "DISCONNECT 0x8b", "CONNACK 0x88"]),
    "TLS version raised": Event(at_once="version", old_tls=True,
                                want=["no TLS"] + ["closed"] * 4 + ["DISCONNECT 0x98", "closed"]),
}


def change(broker, event, crl):
    tls = broker.config["listeners"][1]["tls"]
    if "revoked" in event:
        broker.pki.revoke("stages", crl, "stages-bad")
    elif event == "CA removed":
        tls.update(client_ca=str(broker.pki.path("stages-other.crt")), client_crl=str(broker.pki.path("stages-other.crl")))
    elif event == "certificate required":
        tls["client_certificates"] = "required"
    elif event in ("user locked", "user removed"):
        for user in ("sub", "slow"):
            broker.passwd("lock" if event == "user locked" else "remove", user)
    elif event == "anonymous off":
        broker.config["listeners"][1]["authentication"]["anonymous"] = False
    elif event == "listener removed":
        del broker.config["listeners"][1]
    else:
        tls["min_version"] = "1.3"
    broker.write()


def run(new_broker, clients, name, rounds):
    """{(stage, version): outcome}, or None where the hash was ready before the reload."""
    event, crl = EVENTS[name], f"stages-{name.replace(' ', '-')}.crl"
    clients.revoke("stages", crl)
    # All failures take as long as the slow user's hash, one after the other: no timeout is reached.
    broker = new_broker(acl=ALL, config={"limits": {"connect_timeout": "2m"}})
    broker.config["listeners"].append({
        "bind": f"127.0.0.1:{free_port()}",
        "tls": {"client_certificates": "optional", "client_ca": str(clients.path("stages.crt")), "client_crl": str(clients.path(crl))},
        "authentication": {"anonymous": True, "certificate_user": "cn" if event.named else "none"}})
    broker.write()
    stages = Stages(broker, event, rounds)
    waiting = {}
    try:
        for stage in event.stages():
            for version in VERSIONS.values():
                if stage != "scram_half_way" or version == 5:
                    waiting[stage, version] = getattr(stages, stage)(version)
                    next(waiting[stage, version])
        change(broker, name, crl)
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded")
        if any(e["user"] == "slow" for e in broker.logged("client-connected")):
            return None
        return {key: finish(generator) for key, generator in waiting.items()}
    finally:
        stages.control.close()
        broker.stop()


def finish(generator):
    try:
        next(generator)
    except StopIteration as end:
        return end.value
    raise AssertionError("a stage has one yield")


@pytest.mark.parametrize("name", EVENTS, ids=[name.replace(" ", "-") for name in EVENTS])
def test_every_stage(new_broker, clients, name):
    rounds, outcomes = 500_000, None
    while outcomes is None:
        outcomes = run(new_broker, clients, name, rounds)
        rounds *= 2
    want = {}
    for stage, version in outcomes:
        said = EVENTS[name].want[stage]
        want[stage, version] = "closed" if version == 4 and said.startswith("DISCONNECT") else said
    assert outcomes == want


# session tickets

TLS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@pytest.mark.parametrize("tls", TLS)
@pytest.mark.parametrize("name", ["certificate revoked", "CA removed", "TLS version raised"])
def test_a_ticket_does_not_outlive_it(new_broker, clients, name, tls):
    """A session that would be resumed is checked by the configuration in force."""
    crl = f"tickets-{name.replace(' ', '-')}.crl"
    clients.revoke("stages", crl)
    config = {"tls": {"client_certificates": "optional", "client_ca": str(clients.path("stages.crt")),
                      "client_crl": str(clients.path(crl))}}
    broker = new_broker(acl=ALL, config=config)
    broker.config["listeners"].append({"bind": f"127.0.0.1:{free_port()}", "tls": dict(config["tls"])})
    broker.write()
    context = tls_context(clients, certificate="stages-bad", minimum=TLS[tls], maximum=TLS[tls])
    with broker:
        with Wire(broker, context=context, listener=1) as first:
            first.settle()
            session = first.stream.session
        with Wire(broker, context=context, listener=1, session=session) as second:
            second.settle()
            assert second.stream.session_reused
            session = second.stream.session
        change(broker, name, crl)
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded")
        if name == "TLS version raised" and tls == "1.3":
            with Wire(broker, context=context, listener=1, session=session) as third:
                third.settle()
            return
        with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
            Wire(broker, context=context, listener=1, session=session)
