"""The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) in AUTH packets, written from the RFCs: it can also send
wrong data at any step."""

import base64
import hashlib
import hmac
import os

import mqtt
from wire import Wire, fresh_address

METHOD = "SCRAM-SHA-256"
CONTINUE, AGAIN = 0x18, 0x19


def b64(data):
    return base64.b64encode(data).decode()


def escape(name):
    return name.replace("=", "=3D").replace(",", "=2C")


class Scram:
    """One exchange: first() and final(challenge) return what to send, proves(server_final) checks the broker."""

    def __init__(self, user, password, *, header="n,,", extensions=""):
        self.header, self.password = header, password.encode()
        self.nonce = b64(os.urandom(18))
        self.bare = f"n={escape(user)},r={self.nonce}{extensions}"
        self.text = b""

    def first(self):
        return (self.header + self.bare).encode()

    def read(self, challenge):
        """(nonce, salt, iterations), which must satisfy the RFC."""
        fields = [part.split("=", 1) for part in challenge.decode().split(",")]
        assert [name for name, _ in fields] == ["r", "s", "i"], challenge
        nonce, salt, count = (value for _, value in fields)
        assert nonce.startswith(self.nonce) and len(nonce) >= len(self.nonce) + 18
        return nonce, base64.b64decode(salt, validate=True), int(count)

    def final(self, challenge):
        nonce, salt, count = self.read(challenge)
        self.salted = hashlib.pbkdf2_hmac("sha256", self.password, salt, count)
        client_key = hmac.digest(self.salted, b"Client Key", "sha256")
        without_proof = f"c={b64(self.header.encode())},r={nonce}"
        self.text = f"{self.bare},{challenge.decode()},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), self.text, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return f"{without_proof},p={b64(proof)}".encode()

    def proves(self, server_final):
        """Does the broker know the verifier?"""
        server_key = hmac.digest(self.salted, b"Server Key", "sha256")
        return server_final == b"v=" + b64(hmac.digest(server_key, self.text, "sha256")).encode()


def props(data=None, method=METHOD, **more):
    found = {"authentication_method": method} if method is not None else {}
    if data is not None:
        found["authentication_data"] = data
    return {**found, **more}


class ScramWire(Wire):
    """A connection that logs in with SCRAM. login=False: only CONNECT is sent, with client-first in it."""

    def __init__(self, broker, user="anna", password=None, *, login=True, scram=None, name=None, client_id=None,
                 data=None, address=None, listener=0, context=None, clean=True, will=None, **more):
        super().__init__(broker, connect=False, listener=listener, context=context,
                         source=None if isinstance(broker.addresses[listener], str) else address or fresh_address(),
                         **({} if client_id is None else {"client_id": client_id}))
        self.user = user
        self.scram = scram or Scram(user, broker.password(user) if password is None else password)
        self.send(mqtt.connect(5, self.client_id, user=name, clean=clean, will=will,
                               props=props(self.scram.first() if data is None else data, **more)))
        if login:
            self.answer_challenge()
            self.connack = self.expect(mqtt.CONNACK)
            assert self.connack.reason == 0, self.connack
            assert self.connack.props["authentication_method"] == METHOD
            assert self.scram.proves(self.connack.props["authentication_data"])

    def challenge(self):
        packet = self.expect(mqtt.AUTH)
        assert packet.reason == CONTINUE
        assert set(packet.props) <= {"authentication_method", "authentication_data"}
        assert packet.props["authentication_method"] == METHOD
        return packet.props.get("authentication_data")

    def say(self, data, reason=CONTINUE, **more):
        self.send(mqtt.auth(reason, props(data, **more)))

    def answer_challenge(self):
        self.say(self.scram.final(self.challenge()))

    def refused(self, reason=0x86):
        """CONNACK with this reason and no further information, then the connection closes."""
        packet = self.expect(mqtt.CONNACK)
        assert packet.reason == reason, packet
        assert set(packet.props) <= {"reason_string"}, packet
        self.expect_close()
        return packet

    def begin_again(self, user=None, password=None):
        self.scram = Scram(user or self.user, password or self.broker.password(self.user))
        self.say(self.scram.first(), AGAIN)

    def authenticate_again(self):
        self.begin_again()
        self.answer_challenge()
        packet = self.expect(mqtt.AUTH)
        assert packet.reason == 0 and packet.props["authentication_method"] == METHOD
        assert self.scram.proves(packet.props["authentication_data"])

    def disconnected(self, reason):
        said = self.expect_close()
        assert said is not None and said.reason == reason, said
        return said
