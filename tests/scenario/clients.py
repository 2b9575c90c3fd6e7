"""Real clients: mosquitto_pub and mosquitto_sub, Paho for Python, MQTT.js; and tools that test TLS."""

import base64
import itertools
import json
import subprocess
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from process import TIMEOUT_S, LineProcess

HERE = Path(__file__).resolve().parent
NODE = ["node", "--require", str(HERE / "node/ipv6_first.js")]
serial = itertools.count(1)
MOSQUITTO_VERSION = {4: "mqttv311", 5: "mqttv5"}


def mosquitto_options(broker, version, user, password, client_id, certificate):
    host, port = broker.addresses[0]
    options = ["-h", host, "-p", str(port), "-V", MOSQUITTO_VERSION[version],
               "--cafile", str(broker.pki.path("ca.crt")), "-i", client_id or f"mosquitto-{next(serial)}"]
    if user is not None:
        options += ["-u", user, "-P", broker.password(user) if password is None else password]
    if certificate is not None:
        options += ["--cert", str(broker.pki.path(f"{certificate}.crt")), "--key",
                    str(broker.pki.path(f"{certificate}.key"))]
    return options


def mosquitto_pub(broker, *arguments, version=5, user="anna", password=None, client_id=None, certificate=None):
    """Run it to its end. Returns a CompletedProcess."""
    return subprocess.run(["mosquitto_pub", *mosquitto_options(broker, version, user, password, client_id, certificate),
                           *arguments], capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
                          stdin=subprocess.DEVNULL)


class MosquittoSub(LineProcess):
    """Running and subscribed after construction (`subscribed=False`: only started)."""

    def __init__(self, broker, *arguments, version=5, user="anna", password=None, client_id=None, certificate=None,
                 subscribed=True):
        options = mosquitto_options(broker, version, user, password, client_id, certificate)
        super().__init__(["stdbuf", "-oL", "mosquitto_sub", *options, "-d", "-F", "MESSAGE %q %r %t %p", *arguments])
        if subscribed:
            self.wait_line("Subscribed (")

    def message(self, text):
        """Waits for "QOS RETAIN TOPIC PAYLOAD"."""
        return self.wait_line(lambda line: line == f"MESSAGE {text}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def number(code):
    """A reason code as a number, in either version of the protocol."""
    return int(getattr(code, "value", code))


class Paho:
    """Paho's client in its own thread; calls wait for the broker's answer."""

    def __init__(self, broker, version=5, *, client_id=None, user="anna", password=None, clean=True, will=None,
                 expiry=None, expect=0, keep_alive=60, source=""):
        self.version, self.changed = version, threading.Condition()
        self.messages, self.answers, self.connacks, self.disconnects = [], {}, [], []
        options = {"clean_session": clean} if version == 4 else {}
        self.client = paho.Client(client_id or f"paho-{next(serial)}", protocol=version, reconnect_on_failure=False,
                                  **options)
        self.client.tls_set(ca_certs=str(broker.pki.path("ca.crt")))
        if user is not None:
            self.client.username_pw_set(user, broker.password(user) if password is None else password)
        if will is not None:
            self.client.will_set(*will)
        self.listen()
        host, port = broker.addresses[0]
        started = {"clean_start": clean} if version == 5 else {}
        if expiry is not None:
            started["properties"] = self.properties("CONNECT", SessionExpiryInterval=expiry)
        self.client.connect(host, port, keep_alive, bind_address=source, **started)
        self.client.loop_start()
        code, self.flags = self.wait(lambda: self.connacks and self.connacks[0], "CONNACK")
        assert code == expect, f"CONNACK {code}"

    def listen(self):
        client = self.client
        client.on_connect = lambda c, u, flags, code, *_: self.note(self.connacks, (number(code), flags))
        client.on_message = lambda c, u, message: self.note(self.messages, message)
        client.on_disconnect = lambda c, u, code, *_: self.note(self.disconnects, number(code))
        client.on_publish = lambda c, u, mid: self.answer(("publish", mid), True)
        client.on_subscribe = lambda c, u, mid, granted, *_: self.answer(("subscribe", mid),
                                                                         [number(g) for g in granted])

    @staticmethod
    def properties(packet, **values):
        made = Properties(getattr(PacketTypes, packet))
        for name, value in values.items():
            setattr(made, name, value)
        return made

    def note(self, where, what):
        with self.changed:
            where.append(what)
            self.changed.notify_all()

    def answer(self, key, value):
        with self.changed:
            self.answers[key] = value
            self.changed.notify_all()

    def wait(self, ready, what):
        deadline = time.monotonic() + TIMEOUT_S
        with self.changed:
            while True:
                value = ready()
                if value:
                    return value
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"Paho waited in vain for {what}")
                self.changed.wait(left)

    def subscribe(self, topic_filter, qos=0, **options):
        _, mid = self.client.subscribe(topic_filter, qos, **options)
        return self.wait(lambda: self.answers.get(("subscribe", mid)), "SUBACK")

    def publish(self, topic, payload, qos=0, retain=False, properties=None):
        mid = self.client.publish(topic, payload, qos, retain, **({"properties": properties} if properties else {})).mid
        self.wait(lambda: self.answers.get(("publish", mid)), "the acknowledgement")

    def message(self):
        self.wait(lambda: self.messages, "a message")
        with self.changed:
            return self.messages.pop(0)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class MqttJs(LineProcess):
    """MQTT.js in its own process, driven line by line (node/driver.js)."""

    def __init__(self, broker, version=5, *, client_id=None, user="anna", password=None, expect_connect=True,
                 listener=0, **options):
        super().__init__([*NODE, str(HERE / "node/driver.js")], stdin=subprocess.PIPE)
        host, port = broker.addresses[listener]
        scheme = "wss" if broker.config["listeners"][listener].get("protocol") == "https" else "mqtts"
        options = {"protocolVersion": version, "clientId": client_id or f"js-{next(serial)}", **options}
        if user is not None:
            options.update(username=user, password=broker.password(user) if password is None else password)
        self.seen = {}
        self.call("connect", url=f"{scheme}://{host}:{port}", cafile=str(broker.pki.path("ca.crt")), options=options)
        self.connack = self.event("connect")["connack"] if expect_connect else None

    def call(self, do, **arguments):
        self.send_line(json.dumps({"do": do, **arguments}))

    def event(self, name):
        """The next event of that name."""
        def wanted(line):
            self.seen[name] = self.seen.get(name, 0) + 1
            return line.startswith("{") and json.loads(line)["event"] == name
        return json.loads(self.wait_line(wanted, after=self.seen.get(name, 0)))

    def subscribe(self, topic_filter, **options):
        self.call("subscribe", filter=topic_filter, options=options)
        return self.event("subscribed")

    def publish(self, topic, payload, **options):
        self.call("publish", topic=topic, payload=payload, options=options)
        return self.event("published")

    def message(self):
        got = self.event("message")
        got["payload"] = base64.b64decode(got["payload"])
        return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def s_client(broker, *options, send="", listener=0):
    """openssl s_client with the server verified; its whole output."""
    host, port = broker.addresses[listener]
    done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", "-servername", "localhost",
                           "-CAfile", str(broker.pki.path("ca.crt")), "-verify_return_error", "-verify_hostname",
                           "localhost", *options], input=send, capture_output=True, text=True, check=False,
                          timeout=TIMEOUT_S, errors="replace")
    return done.stdout + done.stderr


def sslscan(broker):
    host, port = broker.addresses[0]
    return subprocess.run(["sslscan", "--no-colour", "--xml=-", "--sni-name=localhost", f"{host}:{port}"],
                          capture_output=True, text=True, check=True, timeout=3 * TIMEOUT_S).stdout
