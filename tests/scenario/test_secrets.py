"""A password is in the broker's memory while it is checked, and not longer."""

import contextlib
import secrets
import time

import mqtt
import pytest
from process import TIMEOUT_S
from scram import CONTINUE, Scram, props
from wire import Closed, Wire, fresh_address


def memory(pid):
    """Everything that the process can write: heap, stacks, buffers; without the memory of a sanitizer."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        ranges = [line.split() for line in maps]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for where, mode, *_ in ranges:
            start, end = (int(x, 16) for x in where.split("-"))
            if not mode.startswith("rw") or end - start > 1 << 30:
                continue
            while start < end:
                size = min(end - start, 1 << 24)
                with contextlib.suppress(OSError):
                    file.seek(start)
                    yield file.read(size)
                start += size


def is_in_memory(broker, secret):
    try:
        return any(secret in piece for piece in memory(broker.process.pid))
    except PermissionError:
        pytest.skip("only root may look into the memory of the broker, which forbids it to others")


def in_pieces(client, data):
    for at in range(0, len(data), 7):
        client.send(data[at:at + 7])


WAYS = ["whole", "pieces", "wrong", "unfinished", "malformed", "unix", "unix in pieces", "other worker"]


@pytest.fixture(scope="module")
def broker(new_broker, tmp_path_factory):
    path = tmp_path_factory.mktemp("unix") / "socket"
    broker = new_broker(config={"workers": 2, "listeners": [{"bind": "127.0.0.1:0"}, {"bind": f"unix:{path}"}]})
    broker.config["listeners"][0]["bind"] = f"127.0.0.1:{broker.port}"
    broker.write()
    broker.secret = secrets.token_hex(20)
    broker.passwd("set", "anna", "--scram", "--iterations", "4096", "--stdin", stdin=broker.secret + "\n")
    with broker:
        yield broker


def talk(broker, way, secret):
    listener = 1 if "unix" in way else 0
    names = [f"secret-{n}" for n in range(8 if way == "other worker" else 1)]
    clients = [Wire(broker, connect=False, listener=listener, source=fresh_address()) for _ in names]
    for client, name in zip(clients, names):
        data = mqtt.connect(5, name, user="anna", password=secret)
        if way == "unfinished":
            data = mqtt.connect(5, name, user="anna", password=secret + "x" * 100)[:-60]
        elif way == "malformed":
            data = data[:9] + b"\x01" + data[10:]  # the reserved flag
        (in_pieces(client, data) if "pieces" in way or way == "unfinished" else client.send(data))
        if way == "unfinished":
            continue
        if way not in ("wrong", "malformed"):
            assert client.expect(mqtt.CONNACK).reason == 0
            client.settle()
        else:
            with contextlib.suppress(Closed):
                while True:
                    client.read()
    return clients


@pytest.mark.parametrize("way", WAYS)
def test_no_password_stays(broker, way):
    """Read in one piece and in many, over TLS and a Unix socket, right and wrong, moved to another worker, never
    completed."""
    secret = secrets.token_hex(20) if way in ("wrong", "unfinished", "malformed") else broker.secret
    after = broker.mark()
    clients = talk(broker, way, secret)
    if way == "unfinished":
        for client in clients:
            client.close()
        broker.wait_log("connection-closed-before-connect", after)
    for _ in range(20):  # the answer is sent a moment before the last copy is wiped
        if not is_in_memory(broker, secret.encode()):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the password is still there")
    for client in clients:
        client.close()


def gone(broker, secret):
    end = time.monotonic() + TIMEOUT_S
    while is_in_memory(broker, secret.encode()):
        assert time.monotonic() < end, "the password is still there"
        time.sleep(0.1)


@pytest.mark.parametrize("user", ["anna", "nobody"])
@pytest.mark.parametrize("when", ["refused", "gone while it is hashed", "gone while it waits for its turn"])
def test_no_password_of_a_login_that_fails(broker, user, when):
    """Whether there is such a user or not; in the hash threads, and while the answer waits."""
    secret, address = secrets.token_hex(20), fresh_address()
    for _ in range(3 if when == "gone while it waits for its turn" else 1):
        client = Wire(broker, connect=False, source=address)
        client.send(mqtt.connect(5, "fails", user=user, password=secret))
        if when == "refused":
            assert client.expect(mqtt.CONNACK).reason == 0x86
        client.close()
    gone(broker, secret)


def test_no_password_beside_scram(broker):
    """It is not used there, and wiped all the same."""
    secret = secrets.token_hex(20)
    for user, password in (("anna", broker.secret), ("anna", "wrong"), ("nobody", "wrong")):
        with Wire(broker, connect=False, source=fresh_address()) as client:
            exchange = Scram(user, password)
            client.send(mqtt.connect(5, "scram", user=user, password=secret, props=props(exchange.first())))
            challenge = client.expect(mqtt.AUTH).props["authentication_data"]
            client.send(mqtt.auth(CONTINUE, props(exchange.final(challenge))))
            assert (client.expect(mqtt.CONNACK).reason == 0) == (password == broker.secret)
            gone(broker, secret)


def test_the_search_finds(broker):
    """Data that the broker does keep in memory is found."""
    with Wire(broker, password=broker.secret, source=fresh_address()) as client:
        client.publish("secret/kept", b"a payload that is retained", qos=1, retain=True)
        assert is_in_memory(broker, b"a payload that is retained")
