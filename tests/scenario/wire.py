"""A client that does exactly what it is told: packets over TLS (or a Unix socket), byte by byte."""

import itertools
import socket
import ssl
import struct

import mqtt
import proxies
import websocket
from timeouts import scaled_timeout

TIMEOUT_S = scaled_timeout(20)
ANY = object()
GONE = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
serial = itertools.count(1)


class Closed(Exception):
    """The broker closed the connection."""


def tls_context(pki, *, certificate=None, alpn=None, maximum=None, minimum=None):
    context = ssl.create_default_context(cafile=str(pki.path("ca.crt")))
    if certificate is not None:
        context.load_cert_chain(pki.path(f"{certificate}.crt"), pki.path(f"{certificate}.key"))
    if alpn is not None:
        context.set_alpn_protocols(alpn)
    if maximum is not None:
        context.maximum_version = maximum
    if minimum is not None:
        context.minimum_version = minimum
    return context


def fresh_address():
    """A loopback address that no other test uses: the broker delays addresses that guessed wrong."""
    number = next(serial)
    return f"127.1.{number >> 8 & 255}.{number & 255}"


def open_stream(broker, *, context=None, listener=0, session=None, source=None, header=None):
    """A connected socket, with TLS if the listener uses it, and WebSocket over that; the server is verified. `header`: bytes that a proxy sends
    first; where the listener asks for a PROXY header and none is given, one that names `source`."""
    address = broker.addresses[listener]
    if header is None and broker.config["listeners"][listener].get("proxy_protocol") == "required":
        header, source = proxies.v2(source or "127.0.0.1"), None
    if isinstance(address, str):
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(TIMEOUT_S)
        stream.connect(address)
        stream.sendall(header or b"")
        return stream
    stream = socket.create_connection(address, timeout=TIMEOUT_S, source_address=source and (source, 0))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.sendall(header or b"")
    try:
        context = context or tls_context(broker.pki)
        tls = context.wrap_socket(stream, server_hostname="localhost", session=session)
        return websocket.WebSocket(tls) if broker.config["listeners"][listener].get("protocol") == "https" else tls
    except BaseException:
        stream.close()
        raise


class SteppedTls:
    """TLS over a connected socket, one flight at a time; afterwards it can be read and written like a socket."""

    def __init__(self, stream, context):
        self.stream, self.incoming, self.outgoing = stream, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def step(self, operation, *arguments):
        """None: it needs more bytes from the broker."""
        try:
            return operation(*arguments)
        except ssl.SSLWantReadError:
            return None
        finally:
            if self.outgoing.pending:
                self.stream.sendall(self.outgoing.read())

    def receive(self):
        data = self.stream.recv(65536)
        if not data:
            raise ConnectionResetError
        self.incoming.write(data)

    def say_hello(self):
        """Our ClientHello is sent, and the start of the broker's answer has arrived."""
        self.step(self.tls.do_handshake)
        self.receive()

    def shake_hands(self):
        while self.step(lambda: self.tls.do_handshake() or True) is None:
            self.receive()

    def sendall(self, data):
        self.step(self.tls.write, data)

    def recv(self, size):
        while (data := self.step(self.tls.read, size)) is None:
            self.receive()
        return data

    def close(self):
        self.stream.close()


class Wire:
    """One connection. Messages that arrive while another packet is awaited are queued in `messages`."""

    def __init__(self, broker, version=5, *, client_id=ANY, user="anna", password=ANY, clean=True, keep_alive=60,
                 will=None, props=None, context=None, listener=0, session=None, connect=True, expect=0, ack=True,
                 source=None, stream=None, header=None):
        self.version, self.broker, self.acks = version, broker, ack
        self.client_id = f"wire-{next(serial)}" if client_id is ANY else client_id
        self.messages, self.held, self.buffer = [], set(), b""
        self.packet_ids = itertools.count(1)
        source = source or (None if expect == 0 or header is not None else fresh_address())
        self.stream = stream or open_stream(broker, context=context, listener=listener, session=session, source=source,
                                            header=header)
        self.connack = None
        if connect:
            password = broker.password(user) if password is ANY and user is not None else password
            self.send(mqtt.connect(version, self.client_id, user=user, password=None if password is ANY else password,
                                   clean=clean, keep_alive=keep_alive, will=will, props=props))
            self.connack = self.expect(mqtt.CONNACK)
            if expect is not None:
                assert self.connack.reason == expect, f"CONNACK {self.connack}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # bytes

    def send(self, data):
        try:
            self.stream.sendall(data)
        except GONE:
            raise Closed from None

    def fill(self):
        try:
            data = self.stream.recv(65536)
        except GONE:
            data = b""
        if not data:
            raise Closed
        self.buffer += data

    def read(self):
        """The next packet, whatever it is."""
        while True:
            whole = self.split()
            if whole is not None:
                return mqtt.parse(self.version, *whole)
            self.fill()

    def split(self):
        length = shift = 0
        for at in range(1, 5):
            if len(self.buffer) <= at:
                return None
            length |= (self.buffer[at] & 0x7F) << shift
            shift += 7
            if self.buffer[at] < 0x80:
                break
        end = at + 1 + length
        if len(self.buffer) < end:
            return None
        first, body, self.buffer = self.buffer[0], self.buffer[at + 1:end], self.buffer[end:]
        return first, body

    # packets

    def take(self):
        """The next packet; messages are queued and acknowledged."""
        packet = self.read()
        if packet.kind == mqtt.PUBLISH:
            if packet.qos < 2 or packet.packet_id not in self.held:
                self.messages.append(packet)
            if self.acks:
                self.acknowledge(packet)
        elif packet.kind == mqtt.PUBREL and self.acks:
            self.held.discard(packet.packet_id)
            self.answer(mqtt.PUBCOMP, packet)
        return packet

    def acknowledge(self, packet):
        if packet.qos == 1:
            self.answer(mqtt.PUBACK, packet)
        elif packet.qos == 2:
            self.held.add(packet.packet_id)
            self.answer(mqtt.PUBREC, packet)

    def answer(self, kind, packet):
        """The broker may have closed, and have sent more before: reading will tell."""
        try:
            self.send(mqtt.ack(self.version, kind, packet.packet_id))
        except Closed:
            pass

    def expect(self, kind, packet_id=None):
        while True:
            packet = self.take()
            if packet.kind == kind and packet_id in (None, packet.packet_id):
                return packet
            if packet.kind not in (mqtt.PUBLISH, mqtt.PUBREL):
                raise AssertionError(f"wanted {mqtt.NAMES[kind]}, the broker sent {packet}")

    def message(self):
        """The next message."""
        while not self.messages:
            packet = self.take()
            if packet.kind not in (mqtt.PUBLISH, mqtt.PUBREL):
                raise AssertionError(f"wanted PUBLISH, the broker sent {packet}")
        return self.messages.pop(0)

    def until(self, payload):
        """The messages before the one with this payload."""
        got = []
        while True:
            one = self.message()
            if one.payload == payload:
                return got
            got.append(one)

    def settle(self):
        """A round trip: everything that the broker sent before has arrived."""
        self.send(mqtt.packet(mqtt.PINGREQ, 0, b""))
        self.expect(mqtt.PINGRESP)

    def publish(self, topic, payload=b"", *, qos=0, retain=False, props=None, dup=False, packet_id=None):
        """Send and, for QoS 1 and 2, complete the handshake; returns the acknowledgement that decided."""
        packet_id = packet_id or (next(self.packet_ids) if qos else 0)
        self.send(mqtt.publish(self.version, topic, payload, qos=qos, retain=retain, dup=dup, packet_id=packet_id,
                               props=props))
        if qos == 1:
            return self.expect(mqtt.PUBACK, packet_id)
        if qos == 2:
            received = self.expect(mqtt.PUBREC, packet_id)
            if received.reason < 0x80:
                self.send(mqtt.ack(self.version, mqtt.PUBREL, packet_id))
                self.expect(mqtt.PUBCOMP, packet_id)
            return received
        return None

    def subscribe(self, *filters, qos=2, options=0, props=None, expect=None):
        packet_id = next(self.packet_ids)
        self.send(mqtt.subscribe(self.version, packet_id, [(f, qos | options) for f in filters], props))
        answer = self.expect(mqtt.SUBACK, packet_id)
        wanted = [qos] * len(filters) if expect is None else expect
        assert answer.reasons == wanted, f"SUBACK {answer}"
        return answer

    def unsubscribe(self, *filters):
        packet_id = next(self.packet_ids)
        self.send(mqtt.unsubscribe(self.version, packet_id, filters))
        return self.expect(mqtt.UNSUBACK, packet_id)

    # the end

    def expect_close(self):
        """Read to the end; returns the DISCONNECT that the broker sent before, if any."""
        said = None
        try:
            while True:
                packet = self.take()
                if packet.kind == mqtt.DISCONNECT:
                    said = packet
        except Closed:
            self.close()
            return said

    def disconnect(self, reason=0, props=None):
        self.acks = False
        self.send(mqtt.disconnect(self.version, reason, props))
        try:
            while True:
                self.take()
        except Closed:
            self.close()

    def kill(self):
        """Reset the connection, as a device looks that lost its power, after its host has gone."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.stream.close()
