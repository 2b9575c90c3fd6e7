"""Who guesses passwords is held back, and nobody else at the same address: neither old devices nor neighbours."""

import contextlib
import ctypes
import ctypes.util
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

import mqtt
import pytest
from broker_fixture import ROOT
from wire import Wire, fresh_address, tls_context

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
BAD = {4: 4, 5: 0x86}
BUSY = {4: 3, 5: 0x89}
FREE = 10


@pytest.fixture(scope="module")
def broker(new_broker):
    broker = new_broker(users={"anna": ["all"], "bo": ["all"], "locked": ["all"]})
    broker.config["listeners"].append({"bind": f"unix:{broker.directory}/socket"})
    broker.config["control"] = {"socket": "control.sock"}
    broker.write()
    broker.passwd("lock", "locked")
    with broker:
        yield broker


def reload(broker):
    mark = broker.mark()
    broker.process.signal(signal.SIGHUP)
    broker.wait_log("reloaded", mark)


def fail(broker, user="anna", password="wrong", version=5, **options):
    Wire(broker, version, user=user, password=password, expect=BAD[version], **options).expect_close()


def guess_until_delayed(broker, user="anna", **options):
    for number in range(FREE):
        fail(broker, user, f"guess {number}", **options)


def time_of_login(broker, **options):
    began = time.monotonic()
    with Wire(broker, **options) as client:
        client.settle()
    return time.monotonic() - began


@contextlib.contextmanager
def stale_devices(broker, count, **options):
    """Devices with old passwords that log in again as soon as they are refused."""
    stop, refused = threading.Event(), [0] * count

    def run(number):
        while not stop.is_set():
            fail(broker, password=f"old password {number}", **options)
            refused[number] += 1
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield refused
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("socket_kind", ["tcp", "unix"])
def test_eight_old_devices_do_not_lock_out_the_right_one(new_broker, socket_kind):
    """The same user at the same address: those with an old password cost a hash each, once."""
    broker = new_broker(users={"anna": ["all"], "bo": ["all"]})
    broker.config["listeners"].append({"bind": f"unix:{broker.directory}/socket"})
    broker.write()
    where = {"listener": 1} if socket_kind == "unix" else {"source": "127.0.0.1"}
    with broker, stale_devices(broker, 8, **where) as refused:
        for user in ("anna", "bo"):
            assert time_of_login(broker, user=user, **where) < 10
        deadline = time.monotonic() + 60
        while min(refused) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert min(refused) >= 5
        assert time_of_login(broker, **where) < 10
        assert broker.logged("logins-delayed") == []


def test_a_password_that_becomes_right_is_asked_anew(broker):
    """The entry is changed, unlocked or added."""
    address = fresh_address()
    for _ in range(2):
        fail(broker, "bo", "the new one", source=address)
        fail(broker, "locked", broker.password("locked"), source=address)
        fail(broker, "later", broker.password("later"), source=address)
    broker.passwd("set", "bo", "--stdin", stdin="the new one\n")
    broker.passwd("unlock", "locked")
    broker.add_user("later", ["all"])
    reload(broker)
    Wire(broker, user="bo", password="the new one", source=address).close()
    Wire(broker, user="locked", source=address).close()
    Wire(broker, user="later", source=address).close()
    broker.passwd("set", "bo", "--stdin", stdin=broker.password("bo") + "\n")
    broker.passwd("lock", "locked")
    reload(broker)
    fail(broker, "bo", "the new one", source=address)
    fail(broker, "locked", broker.password("locked"), source=address)


def test_only_this_user_waits_at_this_address(broker):
    address = fresh_address()
    mark = broker.mark()
    guess_until_delayed(broker, source=address)
    said = broker.wait_log("logins-delayed", mark)
    assert (said["user"], said["address"], said["whose"]) == ("anna", address, "this user")
    waits = Wire(broker, connect=False, source=address)
    began = time.monotonic()
    waits.send(mqtt.connect(5, "waits", user="anna", password=broker.password("anna")))
    assert time_of_login(broker, user="bo", source=address) < 3
    assert time_of_login(broker, source=fresh_address()) < 3
    assert waits.expect(mqtt.CONNACK).reason == 0
    assert time.monotonic() - began >= 0.5
    waits.close()


def test_names_that_do_not_exist_are_one(broker, version):
    address = fresh_address()
    mark = broker.mark()
    for number in range(FREE):
        fail(broker, f"nobody-{version}-{number}", version=version, source=address)
    assert broker.wait_log("logins-delayed", mark)["whose"].startswith("names that no user has")
    began = time.monotonic()
    fail(broker, f"nobody-{version}", version=version, source=address)
    assert time.monotonic() - began >= 0.5
    assert time_of_login(broker, source=address) < 3


def test_sixteen_wait(broker, version):
    """More are told to come back: 0x89, in 3.1.1 code 3. Those who wait have their turns."""
    address = fresh_address()
    guess_until_delayed(broker, version=version, source=address)
    clients = []
    for number in range(24):
        client = Wire(broker, version, connect=False, source=address)
        client.send(mqtt.connect(version, f"crowd-{number}", user="anna", password=f"another guess {number}"))
        clients.append(client)
    refused = clients[-1].expect(mqtt.CONNACK)
    assert refused.reason == BUSY[version]
    if version == 5:
        assert "try again later" in refused.props["reason_string"]
    for client in clients:
        client.kill()
    mark = broker.mark()
    assert time_of_login(broker, version=version, source=address) < 60
    assert broker.wait_log("client-connected", mark)["user"] == "anna"


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.full)])
def test_those_who_leave_learn_nothing(broker, count):
    """Each connection tries one password, and leaves before its answer: what they could learn is whether it is in the
    cache of successes, where the right one is."""
    address = fresh_address()
    Wire(broker).close()
    mark = broker.mark()
    for number in range(count):
        client = Wire(broker, connect=False, source=address)
        client.send(mqtt.connect(5, "leaves", user="anna", password=f"guess {number}"))
        client.stream.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while client.stream.recv(4096):
                pass
        client.kill()
    assert broker.wait_log("logins-delayed", mark)["address"] == address
    assert time_of_login(broker, source=fresh_address()) < 3
    for number in range(2):  # a password in the cache is no exception
        fail(broker, password=f"a last guess {number}", source=address)
    assert time_of_login(broker, source=address) >= 1


# what the administrator sees

def ctl(broker, *words, check=True):
    return subprocess.run([CTL, "-c", str(broker.directory / "broker.yaml"), *words], text=True, capture_output=True,
                          check=check, env=broker.environment, timeout=60)


def delays(broker, address):
    lines = [json.loads(line) for line in ctl(broker, "delays", "--json").stdout.splitlines()]
    return [line for line in lines if line.get("address") == address]


def test_delays_are_listed_and_forgiven(broker):
    """And the control socket is not delayed, though it is a Unix socket of the same user id."""
    where = {"listener": 1}
    address = f"unix:uid={os.getuid()}"
    assert delays(broker, address) == []
    guess_until_delayed(broker, **where)
    for number in range(FREE):
        fail(broker, f"nobody-{number}", **where)
    seen = {line["user"]: line for line in delays(broker, address)}
    assert set(seen) == {"anna", None}
    assert seen["anna"] == {"user": "anna", "address": address, "wrong_passwords": 10, "delay_s": 1, "waiting": 0}
    assert "anna" in ctl(broker, "delays").stdout
    elsewhere = ctl(broker, "forgive", "anna", "--address", "192.0.2.1", check=False)
    assert elsewhere.returncode != 0 and "broker-ctl delays" in elsewhere.stderr
    mark = broker.mark()
    assert "not delayed any more" in ctl(broker, "forgive", "anna", "--address", address).stdout
    said = broker.wait_log("control-command", mark)
    assert (said["command"], said["user"], said["address"]) == ("forgive", "anna", address)
    ctl(broker, "forgive", "")
    assert delays(broker, address) == []
    Wire(broker, **where).close()


def test_a_certificate_is_not_delayed(new_broker, pki):
    pki.client("guessing", "guessed-anna", "anna")
    broker = new_broker(config={
        "tls": {"client_certificates": "optional", "client_ca": str(pki.path("guessing.crt"))},
        "authentication": {"certificate_user": "cn"}})
    address = fresh_address()
    with broker:
        for number in range(FREE + 3):
            fail(broker, password=f"guess {number}", source=address)
        context = tls_context(pki, certificate="guessed-anna")
        assert time_of_login(broker, user=None, password=None, context=context, source=address) < 3


def expensive(password, rounds, salt="expensive"):
    library = ctypes.CDLL(ctypes.util.find_library("crypt"))
    library.crypt.restype = ctypes.c_char_p
    return library.crypt(password.encode(), f"$6$rounds={rounds}${salt}$".encode()).decode()


def test_a_session_goes_before_strangers(new_broker):
    """They were there first, each at an address of its own, and none of them is known."""
    broker = new_broker(users={})
    strangers = [f"stranger-{number}" for number in range(8)]

    def write_users(salt):
        broker.write_file("users.passwd", "".join(
            f"{user}:id={number + 4096:016x}:hash={expensive(broker.password(user), 300000, salt)}:roles=all\n"
            for number, user in enumerate(["anna", *strangers])))
    write_users("before")
    with broker:
        Wire(broker, client_id="home", clean=False, props={"session_expiry_interval": 600}, source=fresh_address()).close()
        write_users("after")
        reload(broker)
        mark, clients = broker.mark(), []
        for user in strangers:
            client = Wire(broker, connect=False, source=fresh_address())
            client.send(mqtt.connect(5, user, user=user, password=broker.password(user)))
            clients.append(client)
        with Wire(broker, client_id="home", clean=False, source=fresh_address()) as client:
            assert client.connack.session_present
            before = [line["user"] for line in broker.logged("client-connected", mark)]
        assert len(before) <= 5, before
        for client in clients:
            client.kill()


GUESSED = [f"guessed-{number}" for number in range(64)]


def start_guesses(broker, number, source):
    user = GUESSED[number]
    client = Wire(broker, connect=False, source=source)
    client.send(mqtt.connect(5, f"{user}-guesses", user=user, password=f"guess {time.monotonic_ns()}"))
    return client


def is_answered(client):
    timeout = client.stream.gettimeout()
    client.stream.settimeout(0)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.buffer += client.stream.recv(65536)
    client.stream.settimeout(timeout)
    return client.buffer != b""


def answered(clients):
    return [number for number, client in enumerate(clients) if is_answered(client)]


@pytest.mark.parametrize("everybody", ["one address", "an address each"])
def test_64_others_guess(new_broker, everybody):
    """All at once, before anybody has failed, and going on; each is a user of its own. Of two who are right, one has
    logged in before and comes with the first guesses, the other one is new and comes later. What is counted are the
    hashes that go before theirs: 3 s have 16 of 150 ms, with one thread."""
    broker = new_broker(users={})

    def write_users(salt):
        broker.write_file("users.passwd", "".join(
            f"{user}:id={number + 4096:016x}:hash={expensive(broker.password(user), 100000, salt)}:roles=all\n"
            for number, user in enumerate(["anna", "bo", *GUESSED])))
    write_users("before")
    home = fresh_address()
    addresses = [home if everybody == "one address" else fresh_address() for _ in GUESSED]

    with broker:
        Wire(broker, user="anna", source=home).close()
        write_users("after")  # so that no password is known to be right
        reload(broker)
        clients = [start_guesses(broker, number, addresses[number]) for number in range(len(GUESSED))]
        before = len(answered(clients))
        Wire(broker, user="anna", source=home).close()
        assert len(answered(clients)) - before <= 16
        guessed, deadline = [0] * len(clients), time.monotonic() + 240
        while min(guessed) == 0:
            assert time.monotonic() < deadline
            for number in answered(clients):
                clients[number].kill()
                clients[number] = start_guesses(broker, number, addresses[number])
                guessed[number] += 1
        before = len(answered(clients))
        Wire(broker, user="bo", source=home).close()
        assert len(answered(clients)) - before <= 16
        for client in clients:
            client.kill()


def test_expensive_hashes_for_many_users_are_named(new_broker):
    """At a start and by --check, which measure it: while they log in one after the other, their wills are published."""
    broker = new_broker()
    assert "after a restart" not in str(broker.command("--check"))
    hashed = expensive("secret", 900000)
    lines = (broker.directory / "users.passwd").read_text()
    lines += "".join(f"u{number}:id={number + 4096:016x}:hash={hashed}:roles=all\n" for number in range(400))
    broker.write_file("users.passwd", lines)
    checked = broker.command("--check")
    said = checked.stdout + checked.stderr
    assert checked.returncode == 0
    assert "users.passwd: warning: after a restart it takes about" in said and "all 401 users" in said
    with broker:
        broker.process.wait_line("all 401 users")
