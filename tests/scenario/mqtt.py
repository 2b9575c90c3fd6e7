"""MQTT as bytes: enough to encode any packet, valid or not, and to decode what a broker sends. Written from the
standard and independent of the broker's own codecs, so that the two check each other."""

import struct
from dataclasses import dataclass, field

(CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK,
 PINGREQ, PINGRESP, DISCONNECT, AUTH) = range(1, 16)
NAMES = ("reserved CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK "
         "PINGREQ PINGRESP DISCONNECT AUTH").split()

PROPERTIES = {
    0x01: ("payload_format_indicator", "u8"), 0x02: ("message_expiry_interval", "u32"),
    0x03: ("content_type", "text"), 0x08: ("response_topic", "text"), 0x09: ("correlation_data", "data"),
    0x0B: ("subscription_identifier", "varint"), 0x11: ("session_expiry_interval", "u32"),
    0x12: ("assigned_client_identifier", "text"), 0x13: ("server_keep_alive", "u16"),
    0x15: ("authentication_method", "text"), 0x16: ("authentication_data", "data"),
    0x17: ("request_problem_information", "u8"), 0x18: ("will_delay_interval", "u32"),
    0x19: ("request_response_information", "u8"), 0x1A: ("response_information", "text"),
    0x1C: ("server_reference", "text"), 0x1F: ("reason_string", "text"), 0x21: ("receive_maximum", "u16"),
    0x22: ("topic_alias_maximum", "u16"), 0x23: ("topic_alias", "u16"), 0x24: ("maximum_qos", "u8"),
    0x25: ("retain_available", "u8"), 0x26: ("user_property", "pair"), 0x27: ("maximum_packet_size", "u32"),
    0x28: ("wildcard_subscription_available", "u8"), 0x29: ("subscription_identifier_available", "u8"),
    0x2A: ("shared_subscription_available", "u8"),
}
PROPERTY_IDS = {name: (number, kind) for number, (name, kind) in PROPERTIES.items()}
SEVERAL = ("user_property", "subscription_identifier")


def octets(value):
    return value.encode() if isinstance(value, str) else bytes(value)


def varint(value):
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def u8(value):
    return struct.pack("!B", value)


def u16(value):
    return struct.pack("!H", value)


def u32(value):
    return struct.pack("!I", value)


def text(value):
    value = octets(value)
    return u16(len(value)) + value


WRITERS = {"u8": u8, "u16": u16, "u32": u32, "varint": varint, "text": text, "data": text,
           "pair": lambda pair: text(pair[0]) + text(pair[1])}


def properties(values):
    """{"name": value}, in the given order; lists for properties that may be repeated."""
    out = b""
    for name, value in (values or {}).items():
        number, kind = PROPERTY_IDS[name]
        for one in value if isinstance(value, list) else [value]:
            out += varint(number) + WRITERS[kind](one)
    return varint(len(out)) + out


def packet(kind, flags, body):
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


@dataclass
class Will:
    topic: str
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    props: dict = field(default_factory=dict)


def connect(version, client_id="", *, user=None, password=None, clean=True, keep_alive=60, will=None, props=None):
    flags = 0x02 if clean else 0
    tail = text(client_id)
    if will is not None:
        flags |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
        tail += (properties(will.props) if version == 5 else b"") + text(will.topic) + text(will.payload)
    if user is not None:
        flags |= 0x80
        tail += text(user)
    if password is not None:
        flags |= 0x40
        tail += text(password)
    head = text("MQTT") + u8(version) + u8(flags) + u16(keep_alive)
    return packet(CONNECT, 0, head + (properties(props) if version == 5 else b"") + tail)


def publish(version, topic, payload=b"", *, qos=0, retain=False, dup=False, packet_id=0, props=None):
    body = text(topic) + (u16(packet_id) if qos else b"")
    body += (properties(props) if version == 5 else b"") + octets(payload)
    return packet(PUBLISH, (8 if dup else 0) | qos << 1 | (1 if retain else 0), body)


def subscribe(version, packet_id, filters, props=None):
    """filters: [(filter, options byte)]"""
    body = u16(packet_id) + (properties(props) if version == 5 else b"")
    return packet(SUBSCRIBE, 2, body + b"".join(text(f) + u8(options) for f, options in filters))


def unsubscribe(version, packet_id, filters):
    body = u16(packet_id) + (properties({}) if version == 5 else b"")
    return packet(UNSUBSCRIBE, 2, body + b"".join(text(f) for f in filters))


def ack(version, kind, packet_id, reason=0):
    body = u16(packet_id) + (u8(reason) + properties({}) if version == 5 and reason else b"")
    return packet(kind, 2 if kind == PUBREL else 0, body)


def disconnect(version, reason=0, props=None):
    return packet(DISCONNECT, 0, u8(reason) + properties(props) if version == 5 and (reason or props) else b"")


def auth(reason, props=None):
    return packet(AUTH, 0, u8(reason) + properties(props))


class Reader:
    """The rest of a packet's body; reading past its end raises."""

    def __init__(self, data):
        self.data = data

    def take(self, count):
        if len(self.data) < count:
            raise ValueError("the broker sent a packet that is too short")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def varint(self):
        value = shift = 0
        while True:
            digit = self.number(1)
            value |= (digit & 0x7F) << shift
            if digit < 0x80:
                return value
            shift += 7

    def block(self):
        return self.take(self.number(2))

    def text(self):
        return self.block().decode("utf-8")

    def value(self, kind):
        if kind in ("u8", "u16", "u32"):
            return self.number(int(kind[1:]) // 8)
        if kind == "pair":
            return (self.text(), self.text())
        return {"varint": self.varint, "text": self.text, "data": self.block}[kind]()

    def properties(self):
        inner, found = Reader(self.take(self.varint())), {}
        while inner.data:
            name, kind = PROPERTIES[inner.varint()]
            value = inner.value(kind)
            if name in SEVERAL:
                found.setdefault(name, []).append(value)
            elif name in found:
                raise ValueError(f"the broker sent {name} twice")
            else:
                found[name] = value
        return found


@dataclass
class Packet:
    kind: int
    flags: int = 0
    packet_id: int = 0
    reason: int = 0
    reasons: list = field(default_factory=list)
    session_present: bool = False
    topic: str = ""
    payload: bytes = b""
    props: dict = field(default_factory=dict)
    size: int = 0

    @property
    def qos(self):
        return self.flags >> 1 & 3

    @property
    def retain(self):
        return bool(self.flags & 1)

    @property
    def dup(self):
        return bool(self.flags & 8)

    @property
    def name(self):
        return NAMES[self.kind]


def read_connack(p, r, version):
    flags = r.number(1)
    if flags > 1:
        raise ValueError("reserved flags of CONNACK are set")
    p.session_present, p.reason = flags == 1, r.number(1)
    if version == 5:
        p.props = r.properties()


def read_publish(p, r, version):
    p.topic = r.text()
    if p.qos:
        p.packet_id = r.number(2)
    if version == 5:
        p.props = r.properties()
    p.payload, r.data = r.data, b""


def read_ack(p, r, version):
    p.packet_id = r.number(2)
    read_reason(p, r, version)


def read_reason(p, r, version):
    if version == 5 and r.data:
        p.reason = r.number(1)
    if version == 5 and r.data:
        p.props = r.properties()


def read_suback(p, r, version):
    p.packet_id = r.number(2)
    if version == 5:
        p.props = r.properties()
    p.reasons, r.data = list(r.data), b""


READERS = {CONNACK: read_connack, PUBLISH: read_publish, PUBACK: read_ack, PUBREC: read_ack, PUBREL: read_ack,
           PUBCOMP: read_ack, SUBACK: read_suback, UNSUBACK: read_suback, PINGRESP: lambda p, r, v: None,
           DISCONNECT: read_reason, AUTH: read_reason}


def parse(version, first, body):
    p = Packet(first >> 4, first & 15, size=1 + len(varint(len(body))) + len(body))
    if p.kind not in READERS:
        raise ValueError(f"a server does not send {p.name}")
    reader = Reader(body)
    READERS[p.kind](p, reader, version)
    if reader.data:
        raise ValueError(f"{len(reader.data)} bytes too many in {p.name}")
    return p
