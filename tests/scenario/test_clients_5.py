"""All features of 5.0 that a client library can show: Paho C, Paho for Python, mosquitto's library and MQTT.js run the
same tests, over TLS with the server's certificate verified. LACKS lists what a library cannot do, and why; the broker's
behaviour is tested byte by byte in the other files."""

import os
import subprocess
import time

import mqtt
import pytest
from clients_5 import LIBRARIES, NO_LOCAL, RETAIN_AS_PUBLISHED, RETAIN_NEVER, RETAIN_WHEN_NEW, MqttJs5
from broker_fixture import ROOT
from process import TIMEOUT_S
from wire import Wire

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
ACL = {"roles": {"all": ["allow all #"], "reader": ["allow subscribe public/#"]}}
USERS = {"anna": ["all"], "reader": ["reader"]}
CONFIG = {
    "control": {"socket": "control.sock"},
    "limits": {"receive_maximum": 5, "max_keepalive": "30s", "max_packet_size": "4k", "max_connect_size": "2k",
               "max_packet_size_enforcement": "strict",
               "topic_alias_maximum": 3},
}
KEPT = {"session_expiry_interval": 600}
EVERY_PROPERTY = {
    "payload_format_indicator": 1, "content_type": "text/plain; charset=utf-8", "response_topic": "t/answers/ä",
    "correlation_data": b"\x00\x01\xfe\xff", "user_property": [("zeta", "1"), ("alpha", "två"), ("mid", "")],
}
PUBACK = "1.6.1 reads the reason code of PUBACK and PUBREC and tells nobody"
SIZE = "does not look at what the broker announced: it sends, and a strict broker disconnects it with 0x95"
LACKS = {
    ("paho-c", "the broker's maximum packet size, by the library"): SIZE,
    ("paho-python", "reason code of a denied publish"): PUBACK,
    ("paho-python", "reason string of PUBACK"): PUBACK,
    ("paho-python", "reason string of PUBREC"): PUBACK,
    ("paho-python", "no reason strings where none are wanted"): PUBACK,
    ("paho-python", "the broker's receive maximum"): "1.6.1 has its own window, 20, whatever CONNACK says",
    ("paho-python", "the broker's maximum packet size, by the library"): SIZE,
    ("libmosquitto", "several subscription identifiers on one message"):
        "2.0.11 takes the second for a forbidden repetition and closes the connection",
    ("libmosquitto", "topic alias from the broker"):
        "2.0.11 takes an empty topic for a protocol error: a client of it must not set Topic Alias Maximum",
    ("libmosquitto", "the broker's maximum packet size, by DISCONNECT"): "the library refuses before it sends",
    ("libmosquitto", "reason string of PUBREC"): "2.0.11 reads the properties of PUBREC and frees them unseen",
    ("libmosquitto", "reason string of DISCONNECT"): "2.0.11 reads the properties of DISCONNECT and frees them unseen",
    ("mqtt.js", "user properties that repeat keep their order"): "user properties are an object: one list per name",
    ("mqtt.js", "the broker's receive maximum"): "5.14 has no window at all: it sends what it is given",
    ("mqtt.js", "the broker's maximum packet size, by the library"): SIZE,
}
FEATURES = {}


def each(feature):
    """Run the test once per library that has the feature."""
    def mark(test):
        FEATURES[feature] = test.__name__
        able = [name for name in LIBRARIES if (name, feature) not in LACKS]
        return pytest.mark.parametrize("library", [LIBRARIES[name] for name in able], ids=able)(test)
    return mark


@pytest.fixture(scope="module", autouse=True)
def node():
    MqttJs5.start()
    yield
    MqttJs5.stop()


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(acl=ACL, users=USERS, config=CONFIG) as broker:
        yield broker


@pytest.fixture(scope="module")
def wire(broker):
    """Another client, of ours."""
    with Wire(broker, client_id="the-other", keep_alive=0) as client:
        yield client


def kick(broker, client_id):
    subprocess.run([CTL, "-c", "broker.yaml", "kick", client_id], cwd=broker.directory, env=broker.environment,
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S)


# PUBLISH and its properties

@each("publish and subscribe at every QoS")
def test_publish(broker, topic, library):
    with library(broker) as client:
        for qos in (0, 1, 2):
            assert client.subscribe(topic, qos).reason == qos
            assert client.publish(topic, b"level %d" % qos, qos=qos).reason == 0
            got = client.message()
            assert (got.topic, got.payload, got.qos, got.retain) == (topic, b"level %d" % qos, qos, False)
        client.unsubscribe(topic)
        client.subscribe(f"{topic}/end")
        client.publish(topic, b"unheard", qos=1)
        client.publish(f"{topic}/end", b"end")
        assert client.until(b"end") == []


@each("properties of PUBLISH")
def test_properties(broker, topic, library):
    """[MQTT5-3.3.2-17], [MQTT5-3.3.2-20]"""
    with library(broker) as sub, library(broker) as pub:
        sub.subscribe(topic, 2)
        for qos in (0, 1, 2):
            pub.publish(topic, b"text", qos=qos, props=EVERY_PROPERTY)
            got = sub.message()
            assert (got.qos, got.props) == (qos, EVERY_PROPERTY)


@each("user properties that repeat keep their order")
def test_repeated_user_properties(broker, topic, library):
    """[MQTT5-3.3.2-18]"""
    pairs = [("b", "1"), ("a", "2"), ("b", "3"), ("a", "4"), ("b", "1")]
    with library(broker) as client:
        client.subscribe(topic, 1)
        client.publish(topic, b"x", qos=1, props={"user_property": pairs})
        assert client.message().props == {"user_property": pairs}


@each("message expiry, counted down")
def test_message_expiry(broker, topic, library, wire):
    """[MQTT5-3.3.2-6]: asked for until it has become less"""
    with library(broker) as client:
        client.publish(topic, b"old", qos=1, retain=True, props={"message_expiry_interval": 100})
        deadline, left = time.monotonic() + TIMEOUT_S, 100
        while left == 100 and time.monotonic() < deadline:
            client.subscribe(topic, 1)
            left = client.message().props["message_expiry_interval"]
        assert 90 < left < 100
    wire.publish(topic, b"", retain=True)


@each("request and response")
def test_request_and_response(broker, topic, library):
    """Each of the two finds the other by the properties of the request."""
    with library(broker) as asks, library(broker) as answers:
        answers.subscribe(f"{topic}/do", 1)
        asks.subscribe(f"{topic}/done/me", 1)
        asks.publish(f"{topic}/do", b"what time is it", qos=1,
                     props={"response_topic": f"{topic}/done/me", "correlation_data": b"#1"})
        request = answers.message().props
        answers.publish(request["response_topic"], b"late", qos=1,
                        props={"correlation_data": request["correlation_data"]})
        response = asks.message()
        assert (response.topic, response.payload, response.props) == (f"{topic}/done/me", b"late",
                                                                      {"correlation_data": b"#1"})


# Subscriptions

@each("subscription identifier")
def test_subscription_identifier(broker, topic, library):
    """[MQTT5-3.3.4-3]"""
    with library(broker) as client:
        for number in (1, 128, 268435455):
            client.subscribe(f"{topic}/{number}", 1, props={"subscription_identifier": number})
            client.publish(f"{topic}/{number}", b"x", qos=1)
            assert client.message().props == {"subscription_identifier": [number]}


@each("several subscription identifiers on one message")
def test_subscription_identifiers(broker, topic, library):
    """[MQTT5-3.3.4-4]"""
    with library(broker) as client:
        client.subscribe(f"{topic}/+", 1, props={"subscription_identifier": 7})
        client.subscribe(f"{topic}/a", 1, props={"subscription_identifier": 300})
        client.publish(f"{topic}/a", b"both", qos=1)
        assert sorted(client.message().props["subscription_identifier"]) == [7, 300]


@each("no local")
def test_no_local(broker, topic, library, wire):
    """[MQTT5-3.8.3-3]"""
    with library(broker) as client:
        client.subscribe(topic, 1, NO_LOCAL)
        client.publish(topic, b"mine", qos=1)
        wire.publish(topic, b"theirs", qos=1)
        assert client.message().payload == b"theirs"


@each("retain as published")
def test_retain_as_published(broker, topic, library, wire):
    """[MQTT5-3.3.1-12], [MQTT5-3.3.1-13]"""
    with library(broker) as keeps, library(broker) as clears:
        keeps.subscribe(topic, 1, RETAIN_AS_PUBLISHED)
        clears.subscribe(topic, 1)
        wire.publish(topic, b"kept", qos=1, retain=True)
        wire.publish(topic, b"", qos=1, retain=False)
        assert [keeps.message().retain for _ in range(2)] == [True, False]
        assert [clears.message().retain for _ in range(2)] == [False, False]
    wire.publish(topic, b"", retain=True)


@each("retain handling")
def test_retain_handling(broker, topic, library, wire):
    """[MQTT5-3.3.1-9], [MQTT5-3.3.1-10], [MQTT5-3.3.1-11]"""
    wire.publish(topic, b"kept", qos=1, retain=True)
    with library(broker) as client:
        client.subscribe(f"{topic}/end", 1)

        def heard(options):
            client.subscribe(topic, 1, options)
            client.publish(f"{topic}/end", b"end", qos=1)
            return [m.payload for m in client.until(b"end")]
        assert heard(RETAIN_NEVER) == []
        client.unsubscribe(topic)
        assert heard(RETAIN_WHEN_NEW) == [b"kept"]
        assert heard(RETAIN_WHEN_NEW) == []
    wire.publish(topic, b"", retain=True)


@each("shared subscriptions")
def test_shared_subscription(broker, topic, library, wire):
    """Each message goes to one of the two members; other clients get none."""
    with library(broker) as one, library(broker) as two:
        for member in (one, two):
            assert member.subscribe(f"$share/crew/{topic}", 1).reason == 1
            member.subscribe(f"end/{topic}", 1)
        for number in range(10):
            wire.publish(topic, b"%d" % number, qos=1)
        wire.publish(f"end/{topic}", b"end", qos=1)
        first, second = ([int(m.payload) for m in member.until(b"end")] for member in (one, two))
        assert first and second and sorted(first + second) == list(range(10))


# Sessions

@each("session expiry and what waited")
def test_session(broker, topic, library, wire):
    """[MQTT5-3.1.2-5], [MQTT5-3.1.2-23]"""
    with library(broker, client_id=topic, clean=False, props=KEPT) as client:
        assert not client.connack.session_present
        client.subscribe(topic, 2)
        client.disconnect()
    for number in range(6):
        wire.publish(topic, b"%d" % number, qos=1 + number % 2, props=EVERY_PROPERTY)
    with library(broker, client_id=topic, clean=False, props=KEPT) as client:
        assert client.connack.session_present
        wire.publish(topic, b"end", qos=2)
        got = client.until(b"end")
        assert [m.payload for m in got if m.qos == 1] == [b"0", b"2", b"4"]
        assert [m.payload for m in got if m.qos == 2] == [b"1", b"3", b"5"]
        assert all(m.props == EVERY_PROPERTY for m in got)


@each("clean start")
def test_clean_start(broker, topic, library, wire):
    """[MQTT5-3.1.2-4]"""
    with library(broker, client_id=topic, clean=False, props=KEPT) as client:
        client.subscribe(topic, 1)
        client.disconnect()
    wire.publish(topic, b"lost", qos=1)
    with library(broker, client_id=topic, clean=True, props=KEPT) as client:
        assert not client.connack.session_present
        client.subscribe(f"{topic}/end", 1)
        client.publish(topic, b"unheard", qos=1)
        client.publish(f"{topic}/end", b"end", qos=1)
        assert client.until(b"end") == []


@each("session expiry changed by DISCONNECT")
def test_session_ended(broker, topic, library):
    with library(broker, client_id=topic, clean=False, props=KEPT) as client:
        client.disconnect(props={"session_expiry_interval": 0})
    with library(broker, client_id=topic, clean=False) as client:
        assert not client.connack.session_present


@each("assigned client identifier")
def test_assigned_client_identifier(broker, library):
    """[MQTT5-3.1.3-6], [MQTT5-3.2.2-16]"""
    with library(broker, client_id="") as one, library(broker, client_id="") as two:
        names = [c.connack.props["assigned_client_identifier"] for c in (one, two)]
        assert all(names) and names[0] != names[1]


@each("server keep alive")
def test_server_keep_alive(broker, library):
    """Sent if it differs from what the client asked for."""
    with library(broker, keep_alive=60) as long, library(broker, keep_alive=20) as short:
        assert long.connack.props["server_keep_alive"] == 30
        assert short.connack.props.get("server_keep_alive", 20) == 20


@each("what the broker can is in CONNACK")
def test_connack(broker, library):
    with library(broker) as client:
        props = client.connack.props
        assert (props["receive_maximum"], props["maximum_packet_size"], props["topic_alias_maximum"]) == (5, 4096, 3)


# Wills

@each("will delay and the will's properties")
def test_will_delay(broker, topic, library, wire):
    """[MQTT5-3.1.2-8]"""
    wire.subscribe(topic)
    will = mqtt.Will(topic, b"gone", 1, False, {"will_delay_interval": 1, **EVERY_PROPERTY})
    client = library(broker, will=will, props=KEPT)
    client.lose()
    lost = time.monotonic()
    got = wire.message()
    assert time.monotonic() - lost > 0.5
    assert (got.payload, got.qos, got.props) == (b"gone", 1, EVERY_PROPERTY)
    wire.unsubscribe(topic)


@each("back in time, no will")
def test_will_delay_ended(broker, topic, library, wire):
    """[MQTT5-3.1.3-9]"""
    wire.subscribe(topic)
    will = mqtt.Will(topic, b"gone", 1, False, {"will_delay_interval": 60})
    library(broker, client_id=topic, will=will, props=KEPT).lose()
    with library(broker, client_id=topic, clean=False) as client:
        assert client.connack.session_present
        client.disconnect()
    wire.publish(topic, b"end", qos=1)
    assert wire.until(b"end") == []
    wire.unsubscribe(topic)


@each("DISCONNECT with the will")
def test_disconnect_with_will(broker, topic, library, wire):
    """[MQTT5-3.14.4-3]: 0 cancels the will, 4 does not"""
    wire.subscribe(topic)
    for reason in (0x00, 0x04):
        with library(broker, will=mqtt.Will(topic, b"gone %d" % reason, 1)) as client:
            client.disconnect(reason)
    assert wire.message().payload == b"gone 4"
    wire.unsubscribe(topic)


# Aliases, flow control, sizes

@each("topic alias to the broker")
def test_topic_alias_in(broker, topic, library, wire):
    """[MQTT5-3.3.2-12]: the topic is sent once"""
    wire.subscribe(topic)
    with library(broker) as client:
        client.publish(topic, b"named", qos=1, props={"topic_alias": 3})
        client.publish("", b"short", qos=1, props={"topic_alias": 3})
        assert [wire.message().topic for _ in range(2)] == [topic, topic]
    wire.unsubscribe(topic)


@each("topic alias from the broker")
def test_topic_alias_out(broker, topic, library, wire):
    """[MQTT5-3.3.2-8], [MQTT5-3.1.2-26]; all but MQTT.js leave it to their user to put the name in its place"""
    with library(broker, props={"topic_alias_maximum": 2}) as client:
        client.subscribe(f"{topic}/#", 1)
        for number in range(9):
            wire.publish(f"{topic}/{number % 3}", b"%d" % number, qos=1)
        names = {}
        for number in range(9):
            got = client.message()
            name = got.topic or names[got.props["topic_alias"]]
            if "topic_alias" in got.props:
                assert got.props["topic_alias"] in (1, 2)
                names[got.props["topic_alias"]] = name
            assert (name, got.payload) == (f"{topic}/{number % 3}", b"%d" % number)
        assert library.hides_aliases or len(names) == 2


@each("the client's receive maximum")
def test_receive_maximum_of_the_client(broker, topic, library, wire):
    """One at a time, and all arrive."""
    with library(broker, props={"receive_maximum": 1}) as client:
        for qos in (1, 2):
            client.subscribe(topic, qos)
            for number in range(20):
                wire.publish(topic, b"%d" % number, qos=qos)
            assert [int(client.message().payload) for _ in range(20)] == list(range(20))


@each("the broker's receive maximum")
def test_receive_maximum_of_the_broker(broker, topic, library):
    """8 at once where 5 may be in flight: the library waits, and is not disconnected with 0x93."""
    with library(broker) as client:
        client.subscribe(topic, 1)
        for qos in (1, 2):
            for number in range(8):
                client.send(topic, b"%d" % number, qos=qos)
            assert [client.sent().reason for _ in range(8)] == [0] * 8
            assert sorted(int(client.message().payload) for _ in range(8)) == list(range(8))


@each("the client's maximum packet size")
def test_maximum_packet_size_of_the_client(broker, topic, library, wire):
    """[MQTT5-3.1.2-24], [MQTT5-3.1.2-25]"""
    with library(broker, props={"maximum_packet_size": 400}) as client:
        client.subscribe(topic, 1)
        wire.publish(topic, b"x" * 500, qos=1)
        wire.publish(topic, b"end", qos=1)
        assert client.until(b"end") == []


@each("the broker's maximum packet size, by DISCONNECT")
def test_maximum_packet_size_of_the_broker(broker, topic, library):
    """0x95"""
    with library(broker) as client:
        client.send(topic, b"x" * 5000, qos=1)
        assert client.told().reason == 0x95


@each("the broker's maximum packet size, by the library")
def test_maximum_packet_size_kept_by_the_library(broker, topic, library):
    """The library keeps messages that are too large, and sends the others."""
    with library(broker) as client:
        assert client.publish(topic, b"x" * 5000, qos=1).error is not None
        small = client.publish(topic, b"small", qos=1)
        assert small.error is None and small.reason == 0x10, "no matching subscribers"


# Reasons

@each("reason code of a denied publish")
def test_denied_publish(broker, library):
    with library(broker, user="reader") as client:
        assert [client.publish("public/x", b"x", qos=qos).reason for qos in (1, 2)] == [0x87, 0x87]
        assert client.subscribe("public/#", 1).reason == 1, "the connection stays"


def why_denied(broker, library, qos):
    with library(broker, user="reader") as client:
        return client.publish("public/x", b"x", qos=qos).props["reason_string"]


@each("reason string of PUBACK")
def test_reason_string_of_puback(broker, library):
    assert why_denied(broker, library, 1) == "no rule allows it"


@each("reason string of PUBREC")
def test_reason_string_of_pubrec(broker, library):
    assert why_denied(broker, library, 2) == "no rule allows it"


@each("no reason strings where none are wanted")
def test_no_reason_string(broker, library):
    """[MQTT5-3.1.2-29]"""
    with library(broker, user="reader", props={"request_problem_information": 0}) as client:
        refused = client.publish("public/x", b"x", qos=1)
        assert (refused.reason, refused.props) == (0x87, {})


@each("a denied subscribe says why")
def test_denied_subscribe(broker, library):
    with library(broker, user="reader") as client:
        refused = client.subscribe("secret/#", 1)
        assert (refused.reason, refused.props["reason_string"]) == (0x87, "no rule allows it")
        assert client.subscribe("public/#", 1).reason == 1


@pytest.fixture
def strict(new_broker):
    """A broker for a client that guesses: it delays the address."""
    with new_broker(acl=ACL, users=USERS) as broker:
        yield broker


@each("a refused CONNECT says why")
def test_refused_connect(strict, library):
    with library(strict, user="reader", client_id="wrong", password="wrong", expect=0x86):
        pass


@each("DISCONNECT 0x8E at takeover")
def test_takeover(broker, topic, library, wire):
    """[MQTT5-3.1.4-3]"""
    with library(broker, client_id=topic) as old, library(broker, client_id=topic) as new:
        assert old.told().reason == 0x8E
        new.publish(topic, b"in charge", qos=1)


@each("DISCONNECT 0x98 by broker-ctl kick")
def test_kick(broker, topic, library):
    with library(broker, client_id=topic) as client:
        kick(broker, topic)
        assert client.told().reason == 0x98


@each("reason string of DISCONNECT")
def test_reason_string_of_disconnect(broker, topic, library):
    with library(broker, client_id=topic) as client:
        kick(broker, topic)
        assert "administrator" in client.told().props["reason_string"]


# The broker comes back

@pytest.fixture(scope="module")
def mortal(new_broker):
    with new_broker() as broker:
        yield broker


@each("connects again when the broker is back")
def test_restart(mortal, topic, library):
    with library(mortal, client_id=topic, clean=False, props=KEPT, reconnect=True) as client:
        client.subscribe(topic, 1)
        client.publish(topic, b"before", qos=1)
        assert client.message().payload == b"before"
        mortal.stop()
        mortal.start()
        client.again()
        client.subscribe(f"{topic}/now", 1)
        client.publish(f"{topic}/now", b"after", qos=1)
        assert client.message().payload == b"after"


# 3.1.1 of the two that test_clients.py does not have

THREE = pytest.mark.parametrize("library", [LIBRARIES[n] for n in ("paho-c", "libmosquitto")],
                                ids=["paho-c", "libmosquitto"])


@THREE
def test_3_1_1(broker, topic, library):
    with library(broker, 4) as client:
        for qos in (0, 1, 2):
            assert client.subscribe(topic, qos).reason == qos
            client.publish(topic, b"\x00 %d" % qos, qos=qos)
            got = client.message()
            assert (got.topic, got.payload, got.qos, got.props) == (topic, b"\x00 %d" % qos, qos, {})


@THREE
def test_3_1_1_session(broker, topic, library, wire):
    with library(broker, 4, client_id=topic, clean=False) as client:
        client.subscribe(topic, 2)
        client.disconnect()
    for qos in (1, 2):
        wire.publish(topic, b"waited", qos=qos)
    with library(broker, 4, client_id=topic, clean=False) as client:
        assert client.connack.session_present
        assert sorted(client.message().qos for _ in range(2)) == [1, 2]
        client.disconnect()
    with library(broker, 4, client_id=topic, clean=True) as client:
        assert not client.connack.session_present


@THREE
def test_3_1_1_retained_will(broker, topic, library, wire):
    wire.subscribe(topic)
    library(broker, 4, will=mqtt.Will(topic, b"gone", 2, True)).lose()
    assert wire.message().payload == b"gone"
    with library(broker, 4) as late:
        late.subscribe(topic, 1)
        got = late.message()
        assert (got.payload, got.retain) == (b"gone", True)
    wire.unsubscribe(topic)
    wire.publish(topic, b"", retain=True)


@THREE
def test_3_1_1_refused_connect(strict, library):
    with library(strict, 4, password="wrong", expect=4):
        pass


@THREE
def test_3_1_1_refusals(broker, library):
    with library(broker, 4, user="reader") as client:
        assert client.subscribe("secret/#", 1).reason == 0x80
        assert client.publish("public/x", b"x", qos=1).reason == 0


@THREE
def test_a_server_of_somebody_else(broker, library):
    """For libraries that verify: a certificate of an authority that they do not know."""
    with library(broker, cafile=broker.pki.authority("strangers"), expect=None) as client:
        assert client.connack.error is not None


def test_the_table_is_true():
    """No reason without its feature, none for all four."""
    assert all(name in LIBRARIES and feature in FEATURES for name, feature in LACKS), "a row that names nothing"
    for feature in FEATURES:
        assert any((name, feature) not in LACKS for name in LIBRARIES), f"nobody can: {feature}"
