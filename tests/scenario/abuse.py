"""Packets that no client should send, and what the standards require (from mqtt.py's own reading of them, independent
of the broker). An accepted client sends a row: it ends the connection, with one of these reason codes in 5.0 and
without a packet in 3.1.1, or the connection stays open."""

from dataclasses import dataclass

import mqtt
from mqtt import packet, properties, text, u8, u16, varint

BOTH = (4, 5)
LIVES = frozenset()
EITHER = frozenset({0x81, 0x82})
T = text("abuse/t")
ID = u16(9)


@dataclass
class Row:
    name: str
    version: int
    data: bytes
    ends: frozenset = EITHER

    def __str__(self):
        return f"{self.name}-{'3.1.1' if self.version == 4 else '5.0'}"


def rows(name, data, ends=EITHER, versions=BOTH):
    """`data` may be a function of the version."""
    return [Row(name, v, data(v) if callable(data) else data, ends) for v in versions]


def block(version, data=b""):
    return varint(len(data)) + data if version == 5 else b""


def one(name, value):
    """A property without its length."""
    whole = properties({name: value})
    return whole[1:] if len(whole) < 129 else whole[2:]


def flags_of(kind):
    return 2 if kind in (mqtt.PUBREL, mqtt.SUBSCRIBE, mqtt.UNSUBSCRIBE) else 0


def raw(kind, *pieces, flags=None):
    return packet(kind, flags_of(kind) if flags is None else flags, b"".join(pieces))


# A valid body of each packet, and what a client may put into its properties.

ACKS = (mqtt.PUBACK, mqtt.PUBREC, mqtt.PUBREL, mqtt.PUBCOMP)
USER = one("user_property", ("k", "v"))
REASON = one("reason_string", "because")


def body(kind, version, props=None):
    """In pieces: a string or a property block is one piece."""
    def put(usual):
        return [block(5, usual if props is None else props)] if version == 5 else []

    if kind == mqtt.PUBLISH:
        return [T, ID, *put(one("content_type", "text/plain") + USER), b"payload"]
    if kind in ACKS:
        return [ID, *([b"\0"] if version == 5 else []), *put(REASON + USER)]
    if kind == mqtt.SUBSCRIBE:
        return [ID, *put(one("subscription_identifier", 7) + USER), text("abuse/a"), b"\1", text("abuse/b"), b"\2"]
    if kind == mqtt.UNSUBSCRIBE:
        return [ID, *put(USER), text("abuse/a"), text("abuse/b")]
    if kind == mqtt.DISCONNECT:
        return [b"\0", *put(REASON + USER)] if version == 5 else []
    if kind == mqtt.AUTH:
        return [b"\x19", *put(one("authentication_method", "X") + USER)]
    return []


def whole(kind, version, flags=None):
    good = 2 if kind == mqtt.PUBLISH else flags_of(kind)
    return packet(kind, good if flags is None else flags, b"".join(body(kind, version)))


def kinds(version):
    return (mqtt.PUBLISH, *ACKS, mqtt.SUBSCRIBE, mqtt.UNSUBSCRIBE, mqtt.PINGREQ, mqtt.DISCONNECT,
            *([mqtt.AUTH] if version == 5 else []))


# --- truncation, with the length that goes with it ---

def good_cuts(kind, version):
    """Lengths at which the body is complete anyway."""
    lengths, at = [], 0
    for piece in body(kind, version):
        at += len(piece)
        lengths.append(at)
    total = lengths[-1] if lengths else 0
    if kind == mqtt.PUBLISH:
        return range(lengths[-2], total)
    if kind in ACKS and version == 5:
        return (2, 3)
    if kind == mqtt.SUBSCRIBE:
        return (lengths[-3],)
    if kind == mqtt.UNSUBSCRIBE:
        return (lengths[-2],)
    return ()


def truncations():
    for version in BOTH:
        for kind in kinds(version):
            if kind == mqtt.DISCONNECT:
                continue  # its prefixes end the connection in any case: below
            data = b"".join(body(kind, version))
            for cut in range(len(data)):
                ends = LIVES if cut in good_cuts(kind, version) else EITHER
                flags = 2 if kind == mqtt.PUBLISH else flags_of(kind)
                yield Row(f"{mqtt.NAMES[kind]} of {cut} bytes", version, packet(kind, flags, data[:cut]), ends)
    data = b"".join(body(mqtt.DISCONNECT, 5))
    for cut in range(2, len(data)):
        yield Row(f"DISCONNECT of {cut} bytes", 5, packet(mqtt.DISCONNECT, 0, data[:cut]))
    yield Row("DISCONNECT with a body", 4, packet(mqtt.DISCONNECT, 0, b"\0"))


def surplus():
    for version in BOTH:
        for kind in (*ACKS, mqtt.PINGREQ, *([mqtt.DISCONNECT, mqtt.AUTH] if version == 5 else [])):
            yield Row(f"{mqtt.NAMES[kind]} with a byte too many", version,
                      packet(kind, flags_of(kind), b"".join(body(kind, version)) + b"\0"))


# --- the fixed header ---

def headers():
    for version in BOTH:
        for kind in kinds(version):
            if kind == mqtt.PUBLISH:
                continue
            for flags in set(range(16)) - {flags_of(kind)}:
                yield Row(f"{mqtt.NAMES[kind]} with the flags {flags}", version, whole(kind, version, flags))
        for flags in (6, 7, 8, 9, 14, 15):
            yield Row(f"PUBLISH with the flags {flags}", version, whole(mqtt.PUBLISH, version, flags))
    for version in BOTH:
        for kind in kinds(version):
            first = bytes([kind << 4 | flags_of(kind)])
            yield Row(f"{mqtt.NAMES[kind]} with a length of five bytes", version, first + b"\x80\x80\x80\x80\0")
            yield Row(f"{mqtt.NAMES[kind]} with a length of five large bytes", version, first + b"\xff" * 4 + b"\1")
        yield Row("PUBLISH larger than the broker takes", version, b"\x30" + varint(3_000_000),
                  frozenset({0x95}))
        yield Row("PUBLISH as large as can be said", version, b"\x30" + varint(268_435_455), frozenset({0x95}))
        yield Row("SUBSCRIBE larger than the broker takes", version, b"\x82" + varint(3_000_000), frozenset({0x95}))
    for kind in kinds(5):
        data = b"".join(body(kind, 5))
        first = bytes([kind << 4 | (2 if kind == mqtt.PUBLISH else flags_of(kind))])
        long = bytes([varint(len(data))[0] | 0x80])
        yield Row(f"{mqtt.NAMES[kind]} with a length that is not the shortest", 5, first + long + b"\0" + data)
        yield Row(f"{mqtt.NAMES[kind]} with a length of four that wants one", 5,
                  first + long + b"\x80\x80\0" + data)
    for kind in set(kinds(4)) - {mqtt.CONNECT, mqtt.PINGREQ, mqtt.DISCONNECT}:
        data = b"".join(body(kind, 4))
        first = bytes([kind << 4 | (2 if kind == mqtt.PUBLISH else flags_of(kind))])
        yield Row(f"{mqtt.NAMES[kind]} with a length that is not the shortest", 4,
                  first + bytes([len(data) | 0x80, 0x80, 0]) + data, LIVES)


def wrong_kinds():
    bodies = {0: b"", mqtt.CONNACK: b"\0\0", mqtt.SUBACK: ID + b"\0", mqtt.UNSUBACK: ID, mqtt.PINGRESP: b""}
    for kind, data in bodies.items():
        yield from rows(f"{mqtt.NAMES[kind]} from a client", packet(kind, 0, data))
        yield from rows(f"{mqtt.NAMES[kind]} from a client, empty", packet(kind, 0, b""))
    yield Row("SUBACK with properties", 5, packet(mqtt.SUBACK, 0, ID + b"\0\0"))
    yield from rows("packet type 15", packet(15, 0, b""), versions=(4,))
    yield from rows("packet type 15, with a body", whole(mqtt.AUTH, 5), versions=(4,))
    for reason in (0x00, 0x18, 0x19, 0x80):
        yield Row(f"AUTH {reason:#x} without enhanced authentication", 5,
                  mqtt.auth(reason, {"authentication_method": "SCRAM-SHA-256"}))
    for said in BOTH:
        yield from rows(f"a second CONNECT of level {said}", mqtt.connect(said, "again"), frozenset({0x82}))
    yield from rows("a second CONNECT that is malformed", packet(mqtt.CONNECT, 0, b"\0\4MQ"), EITHER)


# --- identifiers and codes ---

def identifiers():
    for version in BOTH:
        for kind in ACKS:
            yield Row(f"{mqtt.NAMES[kind]} with identifier 0", version, raw(kind, b"\0\0"))
            yield Row(f"{mqtt.NAMES[kind]} of an unknown identifier", version, raw(kind, u16(4711)), LIVES)
        for qos in (1, 2):
            yield Row(f"PUBLISH of QoS {qos} with identifier 0", version,
                      raw(mqtt.PUBLISH, T, b"\0\0", block(version), flags=qos << 1))
        yield Row("SUBSCRIBE with identifier 0", version, raw(mqtt.SUBSCRIBE, b"\0\0", block(version), T, b"\0"))
        yield Row("UNSUBSCRIBE with identifier 0", version, raw(mqtt.UNSUBSCRIBE, b"\0\0", block(version), T))


REASONS = {
    mqtt.PUBACK: {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
    mqtt.PUBREC: {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99},
    mqtt.PUBREL: {0x00, 0x92},
    mqtt.PUBCOMP: {0x00, 0x92},
}
DISCONNECTS = {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99}


def codes():
    for kind, good in REASONS.items():
        for code in (0x00, 0x01, 0x02, 0x04, 0x10, 0x7F, 0x80, 0x81, 0x8E, 0x92, 0x93, 0x97, 0x99, 0xA2, 0xFF):
            yield Row(f"{mqtt.NAMES[kind]} with the reason {code:#x}", 5, raw(kind, u16(4711), u8(code)),
                      LIVES if code in good else EITHER)
    for code in sorted(set(range(256)) - DISCONNECTS)[::7]:
        yield Row(f"DISCONNECT with the reason {code:#x}", 5, raw(mqtt.DISCONNECT, u8(code)))


# --- properties ---

SAMPLES = {
    "payload_format_indicator": 1, "message_expiry_interval": 60, "content_type": "t", "response_topic": "abuse/r",
    "correlation_data": b"c", "subscription_identifier": 5, "session_expiry_interval": 0,
    "assigned_client_identifier": "i", "server_keep_alive": 1, "authentication_method": "X",
    "authentication_data": b"d", "request_problem_information": 1, "will_delay_interval": 1,
    "request_response_information": 1, "response_information": "i", "server_reference": "s", "reason_string": "r",
    "receive_maximum": 5, "topic_alias_maximum": 5, "topic_alias": 1, "maximum_qos": 1, "retain_available": 1,
    "user_property": ("k", "v"), "maximum_packet_size": 500, "wildcard_subscription_available": 1,
    "subscription_identifier_available": 1, "shared_subscription_available": 1,
}
OF_MESSAGES = {"payload_format_indicator", "message_expiry_interval", "content_type", "response_topic",
               "correlation_data", "user_property"}
# Table 2-4, for what a client sends.
ALLOWED = {
    mqtt.PUBLISH: OF_MESSAGES | {"topic_alias"},
    mqtt.SUBSCRIBE: {"subscription_identifier", "user_property"},
    mqtt.UNSUBSCRIBE: {"user_property"},
    mqtt.DISCONNECT: {"session_expiry_interval", "reason_string", "user_property", "server_reference"},
    **{kind: {"reason_string", "user_property"} for kind in ACKS},
}
ALLOWED_CONNECT = {"session_expiry_interval", "receive_maximum", "maximum_packet_size", "topic_alias_maximum",
                   "request_response_information", "request_problem_information", "user_property",
                   "authentication_method", "authentication_data"}
ALLOWED_WILL = OF_MESSAGES | {"will_delay_interval"}


def with_properties(kind, data):
    flags = 2 if kind == mqtt.PUBLISH else flags_of(kind)
    return packet(kind, flags, b"".join(body(kind, 5, data)))


def property_rows():
    for kind, allowed in ALLOWED.items():
        name_of = mqtt.NAMES[kind]
        for name, value in SAMPLES.items():
            data = one(name, value)
            if name not in allowed:
                yield Row(f"{name_of} with {name}", 5, with_properties(kind, data))
            elif kind != mqtt.DISCONNECT:
                yield Row(f"{name_of} with {name}", 5, with_properties(kind, data), LIVES)
            if name in allowed - {"user_property"}:
                yield Row(f"{name_of} with {name} twice", 5, with_properties(kind, data + data))
            if name in allowed:
                for cut in range(1, len(data)):
                    yield Row(f"{name_of} with {cut} bytes of {name}", 5, with_properties(kind, data[:cut]))
        for data in (b"\0\0", b"\x04\0", b"\x2b\0", b"\x7f\0", b"\xff\x7f\0", b"\x81\0\1", b"\xff\xff\xff\xff\x01"):
            yield Row(f"{name_of} with the unknown property {data.hex()}", 5, with_properties(kind, data))


def property_lengths():
    for kind in ALLOWED:
        name_of = mqtt.NAMES[kind]
        pieces = body(kind, 5)
        at = next(i for i, piece in enumerate(pieces) if piece.endswith(USER))
        inner = pieces[at][1:]
        flags = 2 if kind == mqtt.PUBLISH else flags_of(kind)
        for name, lie in (("too long", varint(len(inner) + 1000)), ("as long as can be said", b"\xff\xff\xff\x7f"),
                          ("not the shortest", bytes([len(inner) | 0x80, 0])), ("too short", varint(len(inner) - 1)),
                          ("of five bytes", b"\x80\x80\x80\x80\0"), ("of five large bytes", b"\xff\xff\xff\xff\1")):
            data = b"".join([*pieces[:at], lie + inner, *pieces[at + 1:]])
            yield Row(f"{name_of} with a property length {name}", 5, packet(kind, flags, data))


def values():
    def publish(**props):
        return mqtt.publish(5, "abuse/t", props=props)

    yield Row("payload format 2", 5, publish(payload_format_indicator=2))
    yield Row("topic alias 0", 5, publish(topic_alias=0), frozenset({0x94}))
    yield Row("topic alias above the maximum", 5, publish(topic_alias=11), frozenset({0x94}))
    yield Row("topic alias 65535", 5, publish(topic_alias=65535), frozenset({0x94}))
    yield Row("an alias that was never set", 5, mqtt.publish(5, "", props={"topic_alias": 9}),
              frozenset({0x82, 0x94}))
    yield Row("neither topic nor alias", 5, mqtt.publish(5, ""))
    yield Row("no topic", 4, mqtt.publish(4, ""))
    yield Row("empty response topic", 5, publish(response_topic=""))
    yield Row("response topic with a wildcard", 5, publish(response_topic="a/+"))
    yield Row("subscription identifier 0", 5, mqtt.subscribe(5, 9, [("abuse/a", 0)], {"subscription_identifier": 0}))
    yield Row("subscription identifier of five bytes", 5,
              raw(mqtt.SUBSCRIBE, ID, block(5, b"\x0b\xff\xff\xff\xff\1"), T, b"\0"))
    yield Row("session expiry in DISCONNECT where CONNECT had none", 5,
              mqtt.disconnect(5, 0, {"session_expiry_interval": 10}), frozenset({0x82}))


# --- strings and topics ---

BAD_TEXTS = {
    "U+0000": b"a\0b", "a high surrogate": b"\xed\xa0\x80", "a low surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80", "an overlong NUL": b"\xc0\x80",
    "an overlong slash": b"\xe0\x80\xaf", "a code point beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "a lone continuation": b"\x80", "a character cut off": b"ab\xe2\x82", "the byte FF": b"\xff",
}


def bad_text(name, version, bad):
    """The packet with `bad` as its `name`."""
    if name == "topic":
        return raw(mqtt.PUBLISH, text(bad), block(version), flags=0)
    if name == "filter":
        return raw(mqtt.SUBSCRIBE, ID, block(version), text(bad), b"\0")
    if name == "second filter":
        return raw(mqtt.SUBSCRIBE, ID, block(version), T, b"\0", text(bad), b"\0")
    if name == "filter to give up":
        return raw(mqtt.UNSUBSCRIBE, ID, block(version), text(bad))
    if name == "reason string":
        return with_properties(mqtt.PUBACK, one("reason_string", bad))
    if name == "user property's name":
        return with_properties(mqtt.PUBLISH, one("user_property", (bad, "v")))
    if name == "user property's value":
        return with_properties(mqtt.UNSUBSCRIBE, one("user_property", ("k", bad)))
    return with_properties(mqtt.PUBLISH, one(name, bad))


def texts():
    for fault, bad in BAD_TEXTS.items():
        for name in ("topic", "filter", "second filter", "filter to give up"):
            yield from rows(f"{name} with {fault}", lambda v, n=name, b=bad: bad_text(n, v, b), frozenset({0x81}))
        for name in ("reason string", "user property's name", "user property's value", "content_type",
                     "response_topic"):
            yield Row(f"{name} with {fault}", 5, bad_text(name, 5, bad), frozenset({0x81}))


def topics():
    for name in ("+", "#", "a/+", "a/#", "a+", "a#b", "/+/", "$share/g/+"):
        yield from rows(f"PUBLISH to {name}", lambda v, n=name: mqtt.publish(v, n), frozenset({0x81, 0x82, 0x90}))
    for name in ("", "a#", "a/#/b", "a+", "+a", "a/+b", "##", "#/a", "++", "a/b#"):
        for said, make in (("SUBSCRIBE", lambda v, n=name: mqtt.subscribe(v, 9, [(n, 0)])),
                           ("second SUBSCRIBE entry", lambda v, n=name: mqtt.subscribe(v, 9, [("abuse/a", 0), (n, 0)])),
                           ("UNSUBSCRIBE", lambda v, n=name: mqtt.unsubscribe(v, 9, [n]))):
            yield from rows(f"{said} of '{name}'", make)
    for name in ("$share/", "$share//a", "$share/g", "$share/g/", "$share/g+/a", "$share/#/a", "$share/+/a",
                 "$share/g/a#", "$share/g/#/a"):
        yield Row(f"SUBSCRIBE of '{name}'", 5, mqtt.subscribe(5, 9, [(name, 0)]))
        yield Row(f"UNSUBSCRIBE of '{name}'", 5, mqtt.unsubscribe(5, 9, [name]))
    yield Row("No Local on a shared subscription", 5, mqtt.subscribe(5, 9, [("$share/g/a", 4)]), frozenset({0x82}))
    yield Row("SUBSCRIBE of '$share'", 5, mqtt.subscribe(5, 9, [("$share", 0)]), LIVES)
    for options in (3, 0x13, 0x30, 0x33, 0x40, 0x80, 0xC0, 0xFF):
        yield Row(f"subscription options {options:#x}", 5, mqtt.subscribe(5, 9, [("abuse/a", options)]))
    for options in (3, 4, 8, 0x10, 0x40, 0x80, 0xFF):
        yield Row(f"requested QoS {options:#x}", 4, mqtt.subscribe(4, 9, [("abuse/a", options)]))
    for kind in (mqtt.SUBSCRIBE, mqtt.UNSUBSCRIBE):
        yield from rows(f"{mqtt.NAMES[kind]} without an entry", lambda v, k=kind: raw(k, ID, block(v)))


def lying_strings():
    """Every length of a string in a packet: one more than the string has, and the maximum."""
    for version in BOTH:
        for kind in (mqtt.PUBLISH, mqtt.SUBSCRIBE, mqtt.UNSUBSCRIBE):
            pieces = body(kind, version)
            for at, piece in enumerate(pieces):
                if len(piece) < 4 or piece[0] != 0 or piece == b"payload":
                    continue
                for lie in (len(b"".join(pieces)) + 1, 0x7FFF, 0xFFFF):
                    data = b"".join([*pieces[:at], u16(lie) + piece[2:], *pieces[at + 1:]])
                    flags = 2 if kind == mqtt.PUBLISH else flags_of(kind)
                    yield Row(f"{mqtt.NAMES[kind]}: piece {at} says {lie} bytes", version, packet(kind, flags, data))


# --- too much ---

def many_properties(count):
    return USER * count


def large():
    yield from rows("a topic of 65,535 bytes", lambda v: mqtt.publish(v, "t" * 65535, b"x", qos=1, packet_id=9), LIVES)
    yield from rows("a filter of 65,535 bytes", lambda v: mqtt.subscribe(v, 9, [("f" * 65535, 0)]), LIVES)
    yield from rows("giving up a filter of 65,535 bytes", lambda v: mqtt.unsubscribe(v, 9, ["f" * 65535]), LIVES)
    yield from rows("a topic of 60,000 levels", lambda v: mqtt.publish(v, "/" * 59_999), LIVES)
    yield from rows("a topic of 65,535 slashes", lambda v: mqtt.publish(v, "/" * 65535), LIVES)
    yield from rows("a filter of 60,000 levels", lambda v: mqtt.subscribe(v, 9, [("/" * 59_999, 0)]), LIVES)
    yield from rows("a filter of 32,000 pluses", lambda v: mqtt.subscribe(v, 9, [("+/" * 32_000 + "#", 0)]), LIVES)
    yield from rows("giving up 60,000 levels", lambda v: mqtt.unsubscribe(v, 9, ["/" * 59_999]), LIVES)
    for kind in ALLOWED:
        for count in (64, 65, 30_000):
            if kind != mqtt.DISCONNECT:
                yield Row(f"{mqtt.NAMES[kind]} with {count:,} user properties", 5,
                          with_properties(kind, many_properties(count)), LIVES)
    yield from rows("5,000 filters at once", lambda v: mqtt.subscribe(v, 9, [(f"abuse/{n}", 0) for n in range(5000)]),
                    LIVES)
    yield from rows("20,000 filters at once",
                    lambda v: mqtt.subscribe(v, 9, [(f"abuse/{n}", 0) for n in range(20_000)]), LIVES)
    yield from rows("giving up 20,000 filters",
                    lambda v: mqtt.unsubscribe(v, 9, [f"abuse/{n}" for n in range(20_000)]), LIVES)
    yield from rows("one filter 20,000 times", lambda v: mqtt.subscribe(v, 9, [("abuse/1", 1)] * 20_000), LIVES)


ROWS = [row for part in (truncations, surplus, headers, wrong_kinds, identifiers, codes, property_rows,
                         property_lengths, values, texts, topics, lying_strings, large) for row in part()]


# --- CONNECT ---

# Not 4 and 5, 0x86 and 0x87: the packet must be refused before any authentication.
CODES_311 = {1, 2}
CODES_5 = {0x81, 0x82, 0x84, 0x85, 0x90, 0x95, 0x97, 0x99}


def connect_pieces(version, props=b"", will_props=b"", client_id=b"abuse", will_topic=b"abuse/will", user=b"nobody"):
    """With all fields: will, user name, password."""
    return [text("MQTT"), u8(version), b"\xee", u16(60), block(version, props), text(client_id),
            block(version, will_props), text(will_topic), text("gone"), text(user), text("secret")]


def connect_rows():
    """(name, bytes): each must be refused."""
    found = []
    for version in BOTH:
        good = b"".join(connect_pieces(version))
        label = "3.1.1" if version == 4 else "5.0"
        found += [(f"CONNECT of {cut} bytes-{label}", packet(mqtt.CONNECT, 0, good[:cut])) for cut in range(len(good))]
        found += [(f"CONNECT with the flags {flags}-{label}", packet(mqtt.CONNECT, flags, good))
                  for flags in range(1, 16)]
        found.append((f"CONNECT with a byte too many-{label}", packet(mqtt.CONNECT, 0, good + b"x")))
        for flags in (0x01, 0xFF, 0xEF, 0xFE, 0x0A, 0x12, 0x22, 0x32, *([0x42] if version == 4 else [])):
            data = good[:7] + u8(flags) + good[8:]
            found.append((f"connect flags {flags:#x}-{label}", packet(mqtt.CONNECT, 0, data)))
        for fault, bad in BAD_TEXTS.items():
            for field in ("client_id", "will_topic", "user"):
                data = b"".join(connect_pieces(version, **{field: bad}))
                found.append((f"{field} with {fault}-{label}", packet(mqtt.CONNECT, 0, data)))
        for bad in (b"", b"+", b"a/#", b"a/+/b"):
            data = b"".join(connect_pieces(version, will_topic=bad))
            found.append((f"will topic '{bad.decode()}'-{label}", packet(mqtt.CONNECT, 0, data)))
    for name, value in SAMPLES.items():
        data = one(name, value)
        if name not in ALLOWED_CONNECT:
            found.append((f"CONNECT with {name}", packet(mqtt.CONNECT, 0, b"".join(connect_pieces(5, data)))))
        elif name != "user_property":
            found.append((f"CONNECT with {name} twice", packet(mqtt.CONNECT, 0, b"".join(connect_pieces(5, data * 2)))))
        if name not in ALLOWED_WILL:
            found.append((f"will with {name}", packet(mqtt.CONNECT, 0, b"".join(connect_pieces(5, b"", data)))))
        elif name != "user_property":
            found.append((f"will with {name} twice",
                          packet(mqtt.CONNECT, 0, b"".join(connect_pieces(5, b"", data * 2)))))
    for name, value in (("receive_maximum", 0), ("maximum_packet_size", 0), ("request_problem_information", 2),
                        ("request_response_information", 2)):
        data = b"".join(connect_pieces(5, one(name, value)))
        found.append((f"{name} {value}", packet(mqtt.CONNECT, 0, data)))
    for count in (65, 8000, 30_000):
        data = many_properties(count)
        found.append((f"CONNECT with {count} user properties",
                      packet(mqtt.CONNECT, 0, b"".join(connect_pieces(5, data)))))
        found.append((f"will with {count} user properties",
                      packet(mqtt.CONNECT, 0, b"".join(connect_pieces(5, b"", data)))))
    found.append(("CONNECT with a length of five bytes", b"\x10\x80\x80\x80\x80\0"))
    found.append(("CONNECT larger than the broker takes", b"\x10" + varint(100_000)))
    found.append(("CONNECT as large as can be said", b"\x10" + varint(268_435_455)))
    found.append(("SSH", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"))
    found.append(("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    found.append(("zeros", b"\0" * 100))
    for version in BOTH:
        for kind in (*kinds(version), mqtt.CONNACK, mqtt.SUBACK, mqtt.UNSUBACK, mqtt.PINGRESP, 0):
            found.append((f"{mqtt.NAMES[kind]} before CONNECT-{version}", whole(kind, version)))
    return found


CONNECTS = connect_rows()
