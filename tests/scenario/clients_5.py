"""Four client libraries behind one interface, for test_clients_5.py: Paho C and mosquitto's library (each a driver in
drivers/), Paho for Python, and MQTT.js. Properties have the names of mqtt.py: {"content_type": "text/plain", ...}."""

import base64
import json
import os
import subprocess
import threading
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

import mqtt
import paho.mqtt.client as paho
import pytest
from clients import HERE, NODE, Paho, number, serial
from broker_fixture import ROOT
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCodes
from paho.mqtt.subscribeoptions import SubscribeOptions
from process import LineProcess

NO_LOCAL, RETAIN_AS_PUBLISHED = 0x04, 0x08
RETAIN_WHEN_NEW, RETAIN_NEVER = 0x10, 0x20


@dataclass
class Answer:
    """What the library reported about an acknowledgement, a DISCONNECT or an error of its own."""
    reason: int = 0
    props: dict = field(default_factory=dict)
    session_present: bool = False
    error: object = None


@dataclass
class Message:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    props: dict


class Library:
    """The common interface. Each library has: publish, send (does not wait) and sent, subscribe, unsubscribe, message,
    told (the broker's DISCONNECT), closed, disconnect, again (the CONNACK after it reconnected), lose."""
    hides_aliases = False # a message's topic is there even where the broker sent an alias

    def until(self, payload):
        """The messages up to the one with this payload, which is left out."""
        got = []
        while (one := self.message()).payload != payload:
            got.append(one)
        return got

    def publish(self, topic, payload=b"", **options):
        self.send(topic, payload, **options)
        return self.sent()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lose()


# The C drivers

def encoded(name, value):
    kind = mqtt.PROPERTY_IDS[name][1]
    if kind == "pair":
        return quote("\0".join(value), safe="")
    return quote(mqtt.octets(value), safe="") if kind in ("text", "data") else str(value)


def property_words(prefix, props):
    return [f"{prefix}.{mqtt.PROPERTY_IDS[name][0]}={encoded(name, one)}" for name, value in (props or {}).items()
            for one in (value if isinstance(value, list) else [value])]


def decoded(kind, value):
    raw = unquote_to_bytes(value)
    if kind == "pair":
        return tuple(part.decode() for part in raw.split(b"\0"))
    return {"text": raw.decode, "data": lambda: raw}.get(kind, lambda: int(value))()


def properties_of(words):
    found = {}
    for word, value in words:
        if not word.startswith("prop."):
            continue
        name, kind = mqtt.PROPERTIES[int(word[5:])]
        if name in mqtt.SEVERAL:
            found.setdefault(name, []).append(decoded(kind, value))
        else:
            assert name not in found
            found[name] = decoded(kind, value)
    return found


class Driver(LineProcess, Library):
    """A C program that holds one client of its library (drivers/line.h)."""
    program, told_by = None, "told"

    def __init__(self, broker, version=5, *, client_id=None, user="anna", password=None, clean=True, props=None,
                 will=None, keep_alive=60, reconnect=False, expect=0, cafile=None):
        path = os.environ.get(f"VAKT_{self.program.upper()}",
                              str(ROOT / f"build/tests/scenario/drivers/{self.program}"))
        if not os.path.exists(path):
            pytest.skip(f"{self.program} is not built: its library is not installed")
        super().__init__([path], stdin=subprocess.PIPE)
        self.seen = {}
        fields = {"version": version, "port": broker.addresses[0][1], "user": user,
                  "cafile": cafile or broker.pki.path("ca.crt"),
                  "password": broker.password(user) if password is None else password, "clean": int(clean),
                  "client_id": f"{self.program}-{next(serial)}" if client_id is None else client_id,
                  "keep_alive": keep_alive, "reconnect": int(reconnect)}
        if will is not None:
            fields |= {"will-topic": will.topic, "will-payload": will.payload, "will-qos": will.qos,
                       "will-retain": int(will.retain)}
        self.tell("connect", props, *property_words("will", will and will.props), **fields)
        self.connack = self.event("connack")
        assert expect is None or (self.connack.reason, self.connack.error) == (expect, None), self.connack

    def tell(self, verb, props=None, *words, **fields):
        pairs = [f"{name}={quote(value if isinstance(value, bytes) else str(value), safe='')}"
                 for name, value in fields.items()]
        self.send_line(" ".join([verb, *pairs, *property_words("prop", props), *words]))

    def words(self, name):
        """The next event of this name, as [(word, value)]."""
        self.seen[name] = self.seen.get(name, 0) + 1
        left = self.seen[name]

        def wanted(line):
            nonlocal left
            assert not line.startswith("failed"), line
            left -= line.split(" ", 1)[0] == name
            return left == 0
        return [tuple(word.split("=", 1)) for word in self.wait_line(wanted).split(" ")[1:]]

    def event(self, name):
        words = self.words(name)
        plain = dict(words)
        return Answer(int(plain.get("reason", 0)), properties_of(words), plain.get("session_present") == "1",
                      plain.get("error"))

    def send(self, topic, payload=b"", *, qos=0, retain=False, props=None):
        self.tell("publish", props, topic=topic, payload=payload, qos=qos, retain=int(retain))

    def sent(self):
        return self.event("published")

    def subscribe(self, topic_filter, qos=0, options=0, props=None):
        self.tell("subscribe", props, filter=topic_filter, qos=qos, options=options)
        return self.event("subscribed")

    def unsubscribe(self, topic_filter):
        self.tell("unsubscribe", filter=topic_filter)
        return self.event("unsubscribed")

    def message(self):
        words = self.words("message")
        plain = dict(words)
        return Message(unquote_to_bytes(plain["topic"]).decode(), unquote_to_bytes(plain["payload"]), int(plain["qos"]),
                       plain["retain"] == "1", properties_of(words))

    def told(self):
        return self.event(self.told_by)

    def closed(self):
        self.event("closed")

    def disconnect(self, reason=0, props=None):
        self.tell("disconnect", props, reason=reason)
        self.closed()

    def lose(self):
        self.kill()


class PahoC(Driver):
    program = "paho_c"

    def __init__(self, broker, version=5, **options):
        super().__init__(broker, version, **options)
        if self.connack.reason == 0 and self.connack.error is None:
            self.event("up")

    def again(self):
        """The library reports it without the contents of CONNACK."""
        return self.event("up")


class LibMosquitto(Driver):
    program, told_by = "mosquitto_lib", "closed"

    def again(self):
        """The library reconnects only after a lost connection, not after the broker's DISCONNECT."""
        self.told()
        self.tell("reconnect")
        return self.event("connack")


# Paho for Python

PAHO_NAMES = {name.replace(" ", ""): mqtt.PROPERTIES[identifier][0] for name, identifier in
              Properties(1).names.items()}
PAHO_WORDS = {ours: theirs for theirs, ours in PAHO_NAMES.items()}


class PahoPython(Paho, Library):
    def __init__(self, broker, version=5, *, client_id=None, user="anna", password=None, clean=True, props=None,
                 will=None, keep_alive=60, reconnect=False, expect=0):
        self.version, self.changed = version, threading.Condition()
        self.messages, self.answers, self.connacks, self.disconnects = [], {}, [], []
        self.pending = []
        self.client = paho.Client(f"paho-python-{next(serial)}" if client_id is None else client_id, protocol=version,
                                  reconnect_on_failure=reconnect)
        self.client.tls_set(ca_certs=str(broker.pki.path("ca.crt")))
        self.client.reconnect_delay_set(1, 1)
        self.client.username_pw_set(user, broker.password(user) if password is None else password)
        if will is not None:
            self.client.will_set(will.topic, will.payload, will.qos, will.retain,
                                 self.named("WILLMESSAGE", will.props))
        self.hear()
        self.client.connect(*broker.addresses[0], keep_alive, clean_start=clean,
                            properties=self.named("CONNECT", props))
        self.client.loop_start()
        self.connack = self.again()
        assert self.connack.reason == expect, self.connack

    def hear(self):
        c = self.client
        c.on_connect = lambda _c, _u, flags, code, props: self.note(
            self.connacks, Answer(number(code), self.read(props), flags["session present"] == 1))
        c.on_message = lambda _c, _u, m: self.note(self.messages, Message(m.topic, m.payload, m.qos, bool(m.retain),
                                                                          self.read(m.properties)))
        c.on_disconnect = lambda _c, _u, code, props=None: self.note(self.disconnects,
                                                                     Answer(number(code), self.read(props)))
        c.on_publish = lambda _c, _u, mid: self.answer(("publish", mid), Answer())
        c.on_subscribe = lambda _c, _u, mid, granted, props: self.answer(("subscribe", mid),
                                                                         Answer(number(granted[0]), self.read(props)))
        c.on_unsubscribe = lambda _c, _u, mid, props, codes: self.answer(("unsubscribe", mid), Answer())

    @staticmethod
    def named(packet, props):
        return Paho.properties(packet, **{PAHO_WORDS[name]: value for name, value in (props or {}).items()})

    @staticmethod
    def read(props):
        return {ours: getattr(props, theirs) for theirs, ours in PAHO_NAMES.items() if hasattr(props, theirs)}

    def take(self, where, what):
        self.wait(lambda: where, what)
        with self.changed:
            return where.pop(0)

    def again(self):
        return self.take(self.connacks, "CONNACK")

    def send(self, topic, payload=b"", *, qos=0, retain=False, props=None):
        self.pending.append(self.client.publish(topic, payload, qos, retain, self.named("PUBLISH", props)).mid)

    def sent(self):
        mid = self.pending.pop(0)
        return self.wait(lambda: self.answers.get(("publish", mid)), "the acknowledgement")

    def publish(self, topic, payload=b"", **options):
        return Library.publish(self, topic, payload, **options)

    def subscribe(self, topic_filter, qos=0, options=0, props=None):
        made = SubscribeOptions(qos, bool(options & NO_LOCAL), bool(options & RETAIN_AS_PUBLISHED), options >> 4)
        mid = self.client.subscribe(topic_filter, options=made, properties=self.named("SUBSCRIBE", props))[1]
        return self.wait(lambda: self.answers.get(("subscribe", mid)), "SUBACK")

    def unsubscribe(self, topic_filter):
        mid = self.client.unsubscribe(topic_filter)[1]
        return self.wait(lambda: self.answers.get(("unsubscribe", mid)), "UNSUBACK")

    def message(self):
        return self.take(self.messages, "a message")

    def told(self):
        return self.take(self.disconnects, "DISCONNECT")

    closed = told

    def disconnect(self, reason=0, props=None):
        self.client.disconnect(ReasonCodes(PacketTypes.DISCONNECT, identifier=reason),
                               self.named("DISCONNECT", props))
        self.closed()
        self.client.loop_stop()

    def lose(self):
        """The network fails, and nothing is sent."""
        if (stream := self.client.socket()) is not None:
            stream.shutdown(2)
        self.client.loop_stop()


# MQTT.js

def camel(name):
    head, *tail = name.split("_")
    return "userProperties" if name == "user_property" else head + "".join(word.title() for word in tail)


JS_NAMES = {camel(name): name for name in mqtt.PROPERTY_IDS}


def js_value(name, value):
    if name == "user_property":
        return {key: [v for k, v in value if k == key] for key, _ in value}
    if name == "correlation_data":
        return base64.b64encode(value).decode()
    return bool(value) if name in ("payload_format_indicator", "request_problem_information") else value


def js_properties(props):
    return {camel(name): js_value(name, value) for name, value in (props or {}).items()}


def js_read(props):
    found = {}
    for theirs, value in (props or {}).items():
        name = JS_NAMES.get(theirs, theirs)
        if name == "user_property":
            value = [(k, one) for k, v in value.items() for one in (v if isinstance(v, list) else [v])]
        elif name == "correlation_data":
            value = bytes(value["data"])
        elif name == "subscription_identifier":
            value = value if isinstance(value, list) else [value]
        found[name] = int(value) if isinstance(value, bool) else value
    return found


class MqttJs5(Library):
    """One of the clients of a process that all tests of a file share: starting Node takes longer than a test."""
    hides_aliases, node = True, None

    @classmethod
    def start(cls):
        cls.node = LineProcess([*NODE, str(HERE / "node/driver.js")], stdin=subprocess.PIPE)

    @classmethod
    def stop(cls):
        cls.node.kill()

    def __init__(self, broker, version=5, *, client_id=None, user="anna", password=None, clean=True, props=None,
                 will=None, keep_alive=60, reconnect=False, expect=0, **options):
        options |= {"clean": clean, "keepalive": keep_alive, "properties": js_properties(props),
                    "protocolVersion": version, "username": user,
                    "password": broker.password(user) if password is None else password}
        self.id, self.seen, self.since = next(serial), {}, self.node.mark()
        options["clientId"] = f"js-{self.id}" if client_id is None else client_id
        if reconnect:
            options["reconnectPeriod"] = 200
        if will is not None:
            options["will"] = {"topic": will.topic, "payload": will.payload.decode(), "qos": will.qos,
                               "retain": will.retain, "properties": js_properties(will.props)}
        self.call("connect", url=f"mqtts://localhost:{broker.addresses[0][1]}",
                  cafile=str(broker.pki.path("ca.crt")), options=options)
        if expect:
            self.connack = Answer(self.event("error")["code"])
        else:
            self.connack = self.again()
        assert self.connack.reason == expect, self.connack

    def call(self, do, **arguments):
        self.node.send_line(json.dumps({"do": do, "id": self.id, **arguments}))

    def event(self, name):
        """This client's next event of this name."""
        self.seen[name] = left = self.seen.get(name, 0) + 1
        mine = f'{{"event":"{name}","id":{self.id}'

        def wanted(line):
            nonlocal left
            left -= line.startswith((mine + ",", mine + "}"))
            return left == 0
        return json.loads(self.node.wait_line(wanted, after=self.since))

    def again(self):
        packet = self.event("connect")["connack"]
        return Answer(packet["reasonCode"], js_read(packet.get("properties")), packet["sessionPresent"])

    def send(self, topic, payload=b"", *, qos=0, retain=False, props=None):
        self.call("publish", topic=topic, payload=payload.decode(),
                  options={"qos": qos, "retain": retain, "properties": js_properties(props)})

    def sent(self):
        said = self.event("published")
        reason = said["error"]["code"] if said["error"] else said.get("reason") or 0
        return Answer(reason, js_read(said.get("properties")), error=said["error"])

    def subscribe(self, topic_filter, qos=0, options=0, props=None):
        self.call("subscribe", filter=topic_filter,
                  options={"qos": qos, "nl": bool(options & NO_LOCAL), "rap": bool(options & RETAIN_AS_PUBLISHED),
                           "rh": options >> 4, "properties": js_properties(props)})
        said = self.event("subscribed")
        return Answer(said["granted"][0], js_read(said.get("properties")))

    def unsubscribe(self, topic_filter):
        self.call("unsubscribe", filter=topic_filter)
        return self.event("unsubscribed")

    def message(self):
        got = self.event("message")
        return Message(got["topic"], base64.b64decode(got["payload"]), got["qos"], got["retain"],
                       js_read(got.get("properties")))

    def told(self):
        said = self.event("disconnect")
        return Answer(said["reason"], js_read(said.get("properties")))

    def closed(self):
        self.event("close")

    def disconnect(self, reason=0, props=None):
        self.call("end", options={"reasonCode": reason, "properties": js_properties(props)})
        self.event("ended")

    def lose(self):
        self.call("lose")


LIBRARIES = {"paho-c": PahoC, "paho-python": PahoPython, "libmosquitto": LibMosquitto, "mqtt.js": MqttJs5}
