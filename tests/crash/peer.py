"""A client with the session state that the standard requires: messages sent and not acknowledged, and QoS 2 identifiers
received. It reports everything to the oracle. One thread, non-blocking sockets."""

import socket
import ssl
import zlib
from collections import OrderedDict

import broker as _  # puts tests/scenario into the path
import mqtt
from broker import PASSWORD
from model import Violation, matches, shared

GONE = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
SENT, RELEASED = 0, 1
WINDOW = 20
EXPIRY_S, LATE_S = 3600, 900
HANDSHAKE_S = 10


def properties_of(message):
    """Some messages have properties: they must survive too."""
    props = {}
    if message.id % 4 == 0:
        props["message_expiry_interval"] = EXPIRY_S
    if message.id % 5 == 0:
        props["user_property"] = [("n", str(message.id)), ("n", message.by)]
    return props


def identifier_of(topic_filter):
    return 1 + zlib.crc32(topic_filter.encode()) % 1000000


def check_properties(peer, packet, message, by_version):
    """What a 5.0 subscriber sees besides topic and payload."""
    ids = packet.props.get("subscription_identifier", [])
    names = [name for name in peer.filters if identifier_of(name) in ids]
    if len(names) != len(ids) or not ids or not all(matches(shared(name)[1], packet.topic) for name in names):
        raise Violation("D5", f"{peer.name} got {packet} with the identifiers {ids}: of {names}", message.events)
    if message.will is not None or by_version != 5:
        return
    wanted = properties_of(message)
    left = packet.props.get("message_expiry_interval", EXPIRY_S if "message_expiry_interval" not in wanted else 0)
    if packet.props.get("user_property") != wanted.get("user_property") or not EXPIRY_S - LATE_S < left <= EXPIRY_S:
        raise Violation("D1", f"{peer.name} got {packet} of {message!r}: its properties are not its own", message.events)


def split(buffer, at):
    """(first byte, body, where the next packet begins), or None if the packet is incomplete."""
    length = shift = 0
    for place in range(at + 1, at + 5):
        if place >= len(buffer):
            return None
        length |= (buffer[place] & 0x7F) << shift
        shift += 7
        if buffer[place] < 0x80:
            break
    end = place + 1 + length
    return None if end > len(buffer) else (buffer[at], bytes(buffer[place + 1:end]), end)


class Peer:
    """world: feed(), broker, and what the client asks of it."""

    def __init__(self, world, name, version, *, tls=False):
        self.world, self.name, self.version, self.tls = world, name, version, tls
        self.sock = self.old = self.connection = None
        self.up = self.leaving = False
        self.out, self.buffer = bytearray(), bytearray()
        self.inflight, self.held, self.asked = OrderedDict(), set(), {}
        self.granted, self.wanted, self.filters = set(), {}, set()
        self.next_id, self.window, self.present = 1, WINDOW, False
        self.acks, self.lazy = [], False
        self.seen = None  # a list: what came with the retain flag, for readers

    # connecting

    def open(self):
        """A socket, or None if nobody listens."""
        try:
            if not self.tls:
                stream = socket.socket(socket.AF_UNIX)
                stream.setblocking(False)
                stream.connect(self.world.broker.socket)
                return stream
            stream = socket.create_connection(("127.0.0.1", self.world.broker.port), timeout=HANDSHAKE_S)
            stream = self.world.tls_context.wrap_socket(stream, server_hostname="localhost")
            stream.setblocking(False)
            return stream
        except OSError:  # ssl.SSLError and the timeout are too
            return None

    def connect(self, *, clean=False, expiry=None, will=None, delay=0):
        """False if the broker does not listen. Connected already: a takeover."""
        fresh = self.open()
        if fresh is None:
            return False
        self.world.reached()
        if self.old is not None:
            self.old.close()
        if self.sock is not None:
            self.world.unregister(self)
            self.old = self.sock
        self.sock, self.up, self.leaving = fresh, False, False
        self.out.clear()
        self.buffer.clear()
        self.acks.clear()
        self.asked.clear()
        self.connection = self.world.next_connection()
        self.world.register(self)
        self.say_connect(clean, expiry, will, delay)
        return True

    def say_connect(self, clean, expiry, will, delay):
        props, will_said = {}, None
        if self.version == 5:
            props = {"session_expiry_interval": 0xFFFFFFFF if expiry is None else expiry}
            maximum = self.world.rng.choice([None, None, 1, 7])
            if maximum is not None:
                props["receive_maximum"] = maximum
        if will is not None:
            will_props = {"will_delay_interval": delay} if delay else {}
            will_said = mqtt.Will(will.topic, will.payload(), will.qos, will.retain, will_props)
        self.world.feed("connect", self.connection, self.name, self.version, clean, expiry, will, delay)
        if not self.world.session_is_certain(self):  # its own half may belong to one that has ended
            self.forget()
        self.put(mqtt.connect(self.version, self.name, user="house", password=PASSWORD, clean=clean, keep_alive=0,
                              will=will_said, props=props))

    # bytes

    def put(self, data):
        self.out += data

    def flush(self):
        if self.acks and not self.leaving and (not self.lazy or self.world.rng.random() < 0.1):
            for data in self.acks:
                self.out += data
            self.acks.clear()
        while self.out and self.sock is not None:
            try:
                sent = self.sock.send(self.out)
            except AGAIN:
                return
            except OSError:
                self.out.clear()  # reading will tell
                return
            del self.out[:sent]

    def read(self):
        """Read all that has arrived. False at the end of the file."""
        alive = True
        while alive:
            try:
                data = self.sock.recv(65536)
            except AGAIN:
                break
            except OSError:
                data = b""
            alive = bool(data)
            self.buffer += data
        self.take_packets()
        return alive

    def take_packets(self):
        at = 0
        connection = self.connection
        while connection == self.connection and (whole := split(self.buffer, at)) is not None:
            first, body, at = whole
            packet = mqtt.parse(self.version, first, body)
            HANDLERS[packet.kind](self, packet)
        if connection == self.connection:
            del self.buffer[:at]

    def on_eof(self):
        """A broker whose disk fails closes connections without having stored what it received."""
        if self.world.broker.is_dying():
            self.end("dead")
            return
        if not self.leaving:
            self.world.surprise(f"{self.name}: the broker closed connection {self.connection}")
        self.end("closed" if self.world.tolerant else "eof")

    def end(self, how):
        """The connection has ended; `how`: see the oracle's on_end."""
        if self.sock is None:
            return
        self.world.unregister(self)
        for stream in (self.sock, self.old):
            if stream is not None:
                stream.close()
        self.sock = self.old = None
        self.up = False
        self.world.feed("end", self.connection, how)

    # what comes

    def on_connack(self, packet):
        if packet.reason != 0:
            self.world.surprise(f"{self.name}: CONNACK reason {packet.reason:#x}")
            self.leaving = True
            return
        self.world.feed("connack", self.connection, packet.session_present)
        if self.old is not None:
            self.old.close()
            self.old = None
        self.up, self.present = True, packet.session_present
        self.window = min(WINDOW, packet.props.get("receive_maximum", WINDOW))
        if not packet.session_present:
            self.forget()
        self.resend()
        self.subscribe(*[one for one in self.wanted if one not in self.granted])

    def forget(self):
        for state in (self.granted, self.inflight, self.held):
            state.clear()

    def resend(self):
        """[MQTT-4.4.0-1]"""
        for packet_id, (message, stage) in self.inflight.items():
            if stage == SENT:
                self.send_publish(message, packet_id, dup=True)
            else:
                self.put(mqtt.ack(self.version, mqtt.PUBREL, packet_id))

    def on_publish(self, packet):
        fresh = packet.qos < 2 or packet.packet_id not in self.held
        if packet.qos == 1:
            self.acks.append(mqtt.ack(self.version, mqtt.PUBACK, packet.packet_id))
        elif packet.qos == 2:
            self.held.add(packet.packet_id)
            self.acks.append(mqtt.ack(self.version, mqtt.PUBREC, packet.packet_id))
        if not fresh or not packet.payload:
            return
        number = self.world.number_of(self, packet)
        if number is None:
            return
        if packet.retain and self.seen is not None:
            self.seen.append((packet.topic, number))
        if self.version == 5:
            self.world.check_properties(self, packet, number)
        self.world.feed("deliver", self.connection, number, packet.topic, packet.qos, packet.retain, packet.dup)

    def on_pubrel(self, packet):
        self.held.discard(packet.packet_id)
        self.acks.append(mqtt.ack(self.version, mqtt.PUBCOMP, packet.packet_id))

    def on_puback(self, packet):
        entry = self.inflight.pop(packet.packet_id, None)
        if entry is None:
            self.world.surprise(f"{self.name}: {packet} acknowledges nothing")
        elif packet.reason < 0x80:
            self.world.feed("ack", self.connection, entry[0].id)
            self.world.acked(entry[0].id)

    def on_pubrec(self, packet):
        entry = self.inflight.get(packet.packet_id)
        if entry is None:
            self.world.surprise(f"{self.name}: {packet} acknowledges nothing")
            return
        if packet.reason >= 0x80:
            del self.inflight[packet.packet_id]
            return
        if entry[1] == SENT:
            self.world.feed("ack", self.connection, entry[0].id)
            self.world.acked(entry[0].id)
            entry[1] = RELEASED
        self.put(mqtt.ack(self.version, mqtt.PUBREL, packet.packet_id))

    def on_pubcomp(self, packet):
        if self.inflight.pop(packet.packet_id, None) is None:
            self.world.surprise(f"{self.name}: {packet} completes nothing")

    def on_suback(self, packet):
        kind, filters = self.asked.pop(packet.packet_id)
        if any(reason >= 0x80 for reason in packet.reasons):
            self.world.surprise(f"{self.name}: {packet} refuses one of {filters}")
            return
        for one in filters:
            self.world.feed("suback" if kind == "subscribe" else "unsuback", self.connection, one)
            (self.granted.add if kind == "subscribe" else self.granted.discard)(one)

    def on_pingresp(self, packet):
        self.world.pinged(self)

    def on_disconnect(self, packet):
        if packet.reason not in (0x8B, 0x8E):
            self.world.surprise(f"{self.name}: {packet}")
        self.leaving = True

    # what is said

    def fits(self):
        return self.up and not self.leaving and len(self.inflight) < self.window

    def publish(self, message):
        packet_id = 0
        if message.qos:
            packet_id = self.fresh_id()
            self.inflight[packet_id] = [message, SENT]
        self.send_publish(message, packet_id, dup=False)

    def send_publish(self, message, packet_id, dup):
        self.world.feed("publish", self.connection, message)
        self.put(mqtt.publish(self.version, message.topic, message.payload(), qos=message.qos, retain=message.retain,
                              dup=dup, packet_id=packet_id, props=properties_of(message)))

    def fresh_id(self):
        while self.next_id in self.inflight or self.next_id in self.asked:
            self.next_id = self.next_id % 0xFFFF + 1
        found, self.next_id = self.next_id, self.next_id % 0xFFFF + 1
        return found

    def subscribe(self, *filters):
        if not filters:
            return
        self.filters.update(filters)
        for one in filters:
            self.world.feed("subscribe", self.connection, one, self.wanted[one])
        if self.version == 5:
            for one in filters:
                self.put_subscribe([one], {"subscription_identifier": identifier_of(one)})
        else:
            self.put_subscribe(filters, None)

    def put_subscribe(self, filters, props):
        packet_id = self.fresh_id()
        self.asked[packet_id] = ("subscribe", filters)
        self.put(mqtt.subscribe(self.version, packet_id, [(one, self.wanted[one]) for one in filters], props))

    def unsubscribe(self, *filters):
        packet_id = self.fresh_id()
        self.asked[packet_id] = ("unsubscribe", filters)
        for one in filters:
            self.world.feed("unsubscribe", self.connection, one)
        self.put(mqtt.unsubscribe(self.version, packet_id, filters))

    def ping(self):
        self.put(mqtt.packet(mqtt.PINGREQ, 0, b""))

    def disconnect(self, reason=0, expiry=None):
        """Send DISCONNECT, and wait for the broker to close."""
        self.leaving = True
        self.world.feed("disconnect", self.connection, reason, expiry)
        props = {} if expiry is None else {"session_expiry_interval": expiry}
        self.put(mqtt.disconnect(self.version, reason, props))

    def is_busy(self):
        """True while an exchange of its own is not finished."""
        return bool(self.inflight or self.asked or self.out or self.acks)


HANDLERS = {
    mqtt.CONNACK: Peer.on_connack, mqtt.PUBLISH: Peer.on_publish, mqtt.PUBACK: Peer.on_puback,
    mqtt.PUBREC: Peer.on_pubrec, mqtt.PUBREL: Peer.on_pubrel, mqtt.PUBCOMP: Peer.on_pubcomp,
    mqtt.SUBACK: Peer.on_suback, mqtt.UNSUBACK: Peer.on_suback, mqtt.PINGRESP: Peer.on_pingresp,
    mqtt.DISCONNECT: Peer.on_disconnect,
}
