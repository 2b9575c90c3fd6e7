"""broker-pub, broker-sub and broker-rr log in with SCRAM-SHA-256 (--scram): the password is not sent, and the server has
to show that it knows it. Against Vakt; and against servers that do not, which a broker of ours cannot be made to be."""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import threading

import mqtt
import pytest
from process import TIMEOUT_S
from pubsub import LOGIN_REFUSED, UNTRUSTED, USAGE, Clients, lines_of
from scram import CONTINUE, METHOD, b64, props

ITERATIONS = 4096


def verifier(broker, user):
    broker.passwd("add", user, "--scram", "--iterations", str(ITERATIONS), "--stdin", "--role", "all",
                  stdin=broker.password(user) + "\n")


@pytest.fixture(scope="module")
def broker(new_broker):
    b = new_broker(users={"plain": ["all"]}, config={"persistence": {"directory": "store"}})
    b.config["listeners"].append({"bind": f"unix:{b.directory / 'broker.sock'}"})
    b.write()
    for user in ("anna", "a=,b", "åsa"):
        verifier(b, user)
    with b:
        yield b


def login_of(broker, directory, user, password=None):
    file = directory / "password"
    file.write_text((broker.password(user) if password is None else password) + "\n")
    file.chmod(0o600)
    return ["--scram", "-u", user, "--password-file", file]


def place_of(broker):
    return ["-h", "localhost", "-p", broker.port, "--cafile", broker.pki.path("ca.crt")]


def clients_of(broker, directory, user="anna", password=None):
    return Clients(directory, *place_of(broker), *login_of(broker, directory, user, password))


@pytest.mark.parametrize("user", ["anna", "a=,b", "åsa"])
def test_all_three_log_in(broker, tmp_path, topic, user):
    """[MQTT5-4.12.0-5]"""
    clients = clients_of(broker, tmp_path, user)
    mark = broker.mark()
    sub = clients.sub("-t", topic, "-C", "1", "-q", "1", "-F", "%R %p", "-i", "subscribes")
    assert broker.wait_log("client-connected", mark, client_id="subscribes")["user"] == user
    rr = clients.start("rr", "-t", topic, "-e", f"{topic}/answer", "-m", "how?", "-q", "1")
    assert lines_of(sub) == [f"{topic}/answer how?"]
    clients.pub("-t", f"{topic}/answer", "-m", "so", "-q", "1")
    assert lines_of(rr) == ["so"]


def test_over_a_unix_socket(broker, tmp_path, topic):
    clients = Clients(tmp_path, "--unix", broker.directory / "broker.sock", *login_of(broker, tmp_path, "anna"))
    clients.pub("-t", topic, "-m", "x", "-q", "1")


def test_properties_of_connect_stay(broker, tmp_path, topic):
    clients = clients_of(broker, tmp_path)
    clients.pub("-t", topic, "-m", "x", "-q", "1", "-D", "connect", "user-property", "where", "here", "-x", "5m", "-i", "x")


def test_from_a_profile(broker, tmp_path, topic):
    directory = tmp_path / "config/vakt"
    directory.mkdir(parents=True)
    file = directory / "clients.yaml"
    lines = ["default:", "  host: localhost", f"  port: {broker.port}", f"  ca: {broker.pki.path('ca.crt')}", "  user: anna",
             f"  password: {broker.password('anna')}"]
    mark = broker.mark()
    for scram in ("yes", "no"):
        file.write_text("\n".join([*lines, f"  scram: {scram}", ""]))
        file.chmod(0o600)
        Clients(tmp_path).pub("-t", topic, "-m", "x", "-q", "1", "-i", f"scram-{scram}")
        broker.wait_log("client-connected", mark, client_id=f"scram-{scram}")
    file.write_text("\n".join([*lines, "  scram: maybe", ""]))
    assert "'scram' is yes or no" in Clients(tmp_path).refuse(USAGE, "pub", "-t", topic, "-m", "x")


def test_wrong_passwords_and_users(broker, tmp_path, topic):
    """A wrong password, a user who has no verifier, and one who does not exist: the same answer."""
    for user, password in (("anna", "not it"), ("plain", broker.password("plain")), ("nobody", "x")):
        said = clients_of(broker, tmp_path, user, password).refuse(LOGIN_REFUSED, "pub", "-t", topic, "-m", "x")
        assert "the server refused the login: Bad User Name or Password (0x86)" in said
        assert "check the user (-u) and the password" in said


def test_a_server_that_does_not_offer_it(new_broker, tmp_path, topic):
    with new_broker(users={"plain": ["all"]}) as broker:
        said = clients_of(broker, tmp_path, "plain").refuse(LOGIN_REFUSED, "pub", "-t", topic, "-m", "x")
    assert "Bad authentication method (0x8c)" in said and "broker-passwd add --scram" in said


@pytest.mark.parametrize("words, said", [
    (["-V", "3.1.1"], "--scram is for MQTT 5"),
    (["-D", "connect", "authentication-method", "X"], "the property Authentication Method occurs more than once"),
], ids=["3.1.1", "method"])
def test_wrong_use(broker, tmp_path, topic, words, said):
    assert said in clients_of(broker, tmp_path).refuse(USAGE, "pub", "-t", topic, "-m", "x", *words)


def test_without_user_or_password(broker, tmp_path, topic):
    for words in ([], ["-u", "anna"]):
        clients = Clients(tmp_path, *place_of(broker), "--scram", *words)
        assert "--scram needs a user (-u) and one of" in clients.refuse(USAGE, "pub", "-t", topic, "-m", "x")
    clients = clients_of(broker, tmp_path)
    clients.login[clients.login.index("anna")] = "a" * 257
    assert "--scram: SCRAM needs a user name of up to 256 bytes" in clients.refuse(USAGE, "pub", "-t", topic, "-m", "x")


def test_every_connection_has_its_own_exchange(new_broker, tmp_path):
    broker = new_broker(users={"plain": ["all"]}, config={"persistence": {"directory": "store"}})
    verifier(broker, "anna")
    clients = clients_of(broker, tmp_path)
    with broker:
        sub = clients.sub("-t", "back", "-C", "1", "-q", "1", "-i", "returns", "-c")
    sub.wait_line("trying again in")
    with broker:
        clients.pub("-t", "back", "-m", "here", "-q", "1", "-r")
        assert lines_of(sub)[-1] == "here"


# servers that do not know the password


class Impostor(threading.Thread):
    """Takes one connection over TLS, with the right certificate, and answers as `answers` say: each gets the packet that
    came and what the password makes of it, and returns bytes."""

    def __init__(self, pki, *answers):
        super().__init__(daemon=True)
        self.answers, self.heard = answers, b""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.path("server-ec.crt"), pki.path("server-ec.key"))
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(TIMEOUT_S)
        self.port = listening.getsockname()[1]
        self.socket = context.wrap_socket(listening, server_side=True)
        self.start()

    def run(self):
        with self.socket, self.socket.accept()[0] as stream:
            stream.settimeout(TIMEOUT_S)
            for answer in self.answers:
                got = stream.recv(65536)
                self.heard += got
                stream.sendall(answer(got))
            while got := stream.recv(65536):
                self.heard += got


def field(packet, name):
    """The value of a SCRAM attribute in a packet: the data is the last of it but for user name and password."""
    start = packet.index(name + b"=") + len(name) + 1
    end = start
    while end < len(packet) and packet[end:end + 1] not in b",\0":
        end += 1
    return packet[start:end]


def challenge(count=ITERATIONS, nonce=None, method=METHOD, reason=CONTINUE):
    def answer(connect):
        own = field(connect, b",r")[:24]
        data = b"r=" + (own + b"server" if nonce is None else nonce) + f",s={b64(b'0123456789abcdef')},i={count}".encode()
        return mqtt.auth(reason, props(data, method=method))
    return answer


def connack(properties):
    body = b"\0\0" + mqtt.properties(properties)
    return lambda _: mqtt.packet(mqtt.CONNACK, 0, body)


WRONG = b"v=" + base64.b64encode(bytes(32))
CASES = {
    "wrong signature": ([challenge(), connack(props(WRONG))], "its signature is wrong: it does not know the password"),
    "no signature": ([challenge(), connack(props())], "it does not show that it knows the password"),
    "another method": ([challenge(), connack(props(WRONG, method="PLAIN"))], "it lets this client in without SCRAM"),
    "without SCRAM": ([connack({})], "it lets this client in without SCRAM"),
    "signature at once": ([connack(props(WRONG))], "it accepts a login that is not over"),
    "one iteration": ([challenge(1)], "the number of iterations that it asks for is not between 4096 and"),
    "too many iterations": ([challenge(10_000_001)], "the number of iterations that it asks for is not between 4096 and"),
    "another's nonce": ([challenge(nonce=b"x" * 40)], "its challenge is not an answer to this login: the nonce is another"),
    "changes the method": ([challenge(method="SCRAM-SHA-1")], "it goes on with another method"),
    "asks to begin again": ([challenge(reason=0x19)], "it sends an AUTH that nobody asked for"),
    "two challenges": ([challenge(), lambda got: challenge()(b",r=" + b"x" * 24)], "it sends a challenge that is not expected"),
}


@pytest.mark.parametrize("case", CASES)
def test_impostors(pki, tmp_path, topic, case):
    """[MQTT5-4.12.0-5]"""
    answers, why = CASES[case]
    server = Impostor(pki, *answers)
    file = tmp_path / "password"
    file.write_text("the secret\n")
    file.chmod(0o600)
    clients = Clients(tmp_path, "-h", "localhost", "-p", server.port, "--cafile", pki.path("ca.crt"), "--scram", "-u", "anna",
                      "--password-file", file)
    said = clients.refuse(UNTRUSTED, "pub", "-t", topic, "-m", "the message", "-q", "1")
    server.join(TIMEOUT_S)
    assert f"the login by SCRAM failed because of the server: {why}" in said
    assert "It may pose as another one" in said
    assert not server.is_alive()
    assert b"the message" not in server.heard
    assert b"the secret" not in server.heard


def test_a_server_that_knows_the_password(pki, tmp_path, topic):
    """The server of the cases above, and the right signature: it is the signature that they lack."""
    seen = []

    def remember(connect):
        seen.append(b"n=anna,r=" + field(connect, b",r")[:24])
        reply = challenge()(connect)
        seen.append(reply[reply.index(b"r="):])
        return reply

    def prove(final):
        without = final[final.index(b"c="):final.index(b",p=")]
        salted = hashlib.pbkdf2_hmac("sha256", b"the secret", b"0123456789abcdef", ITERATIONS)
        key = hmac.digest(salted, b"Server Key", "sha256")
        return connack(props(b"v=" + base64.b64encode(hmac.digest(key, b",".join([*seen, without]), "sha256"))))(final)

    server = Impostor(pki, remember, prove)
    file = tmp_path / "password"
    file.write_text("the secret\n")
    file.chmod(0o600)
    Clients(tmp_path, "-h", "localhost", "-p", server.port, "--cafile", pki.path("ca.crt"), "--scram", "-u", "anna",
            "--password-file", file).pub("-t", topic, "-m", "the message")
    server.join(TIMEOUT_S)
    assert b"the message" in server.heard
    assert b"the secret" not in server.heard
    assert os.fsencode(topic) in server.heard
