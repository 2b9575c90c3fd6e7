"""What the standards say of strings and topics: UTF-8, U+0000, U+FEFF, lengths, `$`, and that nothing is normalised."""

import mqtt
import pytest
from statements import answer_of
from wire import Wire

BAD = {"surrogate": b"\xed\xa0\x80", "overlong": b"a\xc0\xaf", "cut off": b"a\xe2\x82", "too high": b"\xf4\x90\x80\x80",
       "lone continuation": b"\x80", "U+0000": b"a\0b"}
ACL = {"roles": {"all": ["allow all #", "allow all $SYS/broker/connection/#"]}}


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(acl=ACL) as broker:
        yield broker


def with_property(name):
    return lambda version, bad: mqtt.publish(5, "t", b"x", props={name: bad})


def reason_string(kind):
    return lambda version, bad: mqtt.packet(kind, 2 if kind == mqtt.PUBREL else 0,
                                            mqtt.u16(7) + b"\0" + mqtt.properties({"reason_string": bad}))


# name, versions, how to send a bad string there
FIELDS = [
    ("topic name", (4, 5), lambda version, bad: mqtt.publish(version, bad, b"x")),
    ("topic filter", (4, 5), lambda version, bad: mqtt.subscribe(version, 1, [(bad, 0)])),
    ("second topic filter", (4, 5), lambda version, bad: mqtt.subscribe(version, 1, [("a", 0), (bad, 0)])),
    ("filter of UNSUBSCRIBE", (4, 5), lambda version, bad: mqtt.unsubscribe(version, 1, [bad])),
    ("content type", (5,), with_property("content_type")),
    ("response topic", (5,), with_property("response_topic")),
    ("name of a user property", (5,), lambda version, bad: mqtt.publish(5, "t", props={"user_property": (bad, "b")})),
    ("value of a user property", (5,), lambda version, bad: mqtt.publish(5, "t", props={"user_property": ("a", bad)})),
    ("reason string of PUBACK", (5,), reason_string(mqtt.PUBACK)),
    ("reason string of PUBREL", (5,), reason_string(mqtt.PUBREL)),
    ("reason string of DISCONNECT", (5,), lambda version, bad: mqtt.disconnect(5, 4, {"reason_string": bad})),
]
CASES = [pytest.param(version, build, id=f"{name}-{version}")
         for name, versions, build in FIELDS for version in versions]


@pytest.mark.parametrize("version, build", CASES)
def test_ill_formed_strings(broker, version, build):
    """[MQTT3-1.5.3-1], [MQTT3-1.5.3-2], [MQTT5-1.5.4-1], [MQTT5-1.5.4-2], [MQTT5-1.5.7-1], [MQTT5-3.3.2-13],
    [MQTT5-3.3.2-19], [MQTT-3.3.2-1], [MQTT-3.8.3-1], [MQTT-3.10.3-1], [MQTT-4.7.3-2]"""
    for bad in BAD.values():
        with Wire(broker, version) as client:
            client.send(build(version, bad))
            said = answer_of(client)
            assert (said is None) if version == 4 else (said.kind == mqtt.DISCONNECT and said.reason == 0x81)


CONNECT_FIELDS = [
    ("client id", (4, 5), lambda version, bad: mqtt.connect(version, bad)),
    ("user name", (4, 5), lambda version, bad: mqtt.connect(version, "x", user=bad, password="x")),
    ("will topic", (4, 5), lambda version, bad: mqtt.connect(version, "x", will=mqtt.Will(bad, b"x"))),
    ("authentication method", (5,), lambda version, bad: mqtt.connect(5, "x", props={"authentication_method": bad})),
    ("user property", (5,), lambda version, bad: mqtt.connect(5, "x", props={"user_property": ("a", bad)})),
    ("content type of the will", (5,),
     lambda version, bad: mqtt.connect(5, "x", will=mqtt.Will("t", b"x", props={"content_type": bad}))),
]
CONNECT_CASES = [pytest.param(version, build, id=f"{name}-{version}")
                 for name, versions, build in CONNECT_FIELDS for version in versions]


@pytest.mark.parametrize("version, build", CONNECT_CASES)
def test_ill_formed_strings_in_connect(broker, version, build):
    """[MQTT-3.1.3-4], [MQTT3-3.1.3-10], [MQTT3-3.1.3-11], [MQTT5-3.1.3-11], [MQTT5-3.1.3-12]"""
    for bad in BAD.values():
        with Wire(broker, version, connect=False) as client:
            client.send(build(version, bad))
            said = answer_of(client)
            assert (said is None) if version == 4 else (said.kind == mqtt.CONNACK and said.reason == 0x81)


@pytest.mark.parametrize("version", [4, 5])
def test_zero_width_no_break_space(broker, topic, version):
    """[MQTT3-1.5.3-3], [MQTT5-1.5.4-3]: U+FEFF is a character of the topic, in front and inside"""
    with Wire(broker, version) as sub, Wire(broker, version) as pub:
        marked = f"\ufeff{topic}/\ufeffa"
        sub.subscribe(f"\ufeff{topic}/+", topic + "/+")
        pub.publish(marked, b"1", qos=1)
        pub.publish(f"{topic}/a", b"2", qos=1)
        assert [sub.message().topic, sub.message().topic] == [marked, f"{topic}/a"]


ALMOST = [("a/b", "a//b"), ("a", "A"), ("\u00e9", "e\u0301"), ("a/b", "a/./b"), ("a/b", "a/b/"), ("a/b", "/a/b"),
          ("a/b", "a%2Fb"), ("a b", "a  b"), ("a", "a "), ("\u212b", "\u00c5"), ("\uff0f", "/")]


@pytest.mark.parametrize("version", [4, 5])
def test_nothing_is_normalised(broker, topic, version):
    """[MQTT-4.7.3-4]: what only looks alike does not match, and what matches arrives byte for byte"""
    with Wire(broker, version) as sub, Wire(broker, version) as pub:
        for number, (one, other) in enumerate(ALMOST):
            sub.subscribe(f"{topic}/{number}/{one}", f"{topic}/end")
            pub.publish(f"{topic}/{number}/{other}", b"x", qos=1)
            pub.publish(f"{topic}/{number}/{one}", b"y", qos=1)
            pub.publish(f"{topic}/end", b"end", qos=1)
            assert [(m.topic, m.payload) for m in sub.until(b"end")] == [(f"{topic}/{number}/{one}", b"y")]


@pytest.mark.parametrize("version", [4, 5])
def test_longest_topic(broker, topic, version):
    """[MQTT-4.7.3-3]: 65,535 bytes are no trouble, as name and as filter"""
    longest = (topic + "/" + "x" * 65535)[:65535]
    with Wire(broker, version) as sub, Wire(broker, version) as pub:
        sub.subscribe(longest)
        pub.publish(longest, b"x", qos=1)
        assert sub.message().topic == longest
        pub.publish(longest[:-1] + "y", b"x", qos=1)
        pub.publish(longest, b"end", qos=1)
        assert sub.until(b"end") == []


@pytest.mark.parametrize("version", [4, 5])
def test_dollar_topics(broker, topic, version):
    """[MQTT-4.7.2-1]: live and retained; who names the `$` gets them"""
    hidden = f"$SYS/broker/connection/{topic}"
    with Wire(broker, version) as pub:
        pub.publish(hidden, b"kept", qos=1, retain=True)
        with Wire(broker, version) as blind, Wire(broker, version) as seeing:
            blind.subscribe("#", "+/broker/#", f"+/broker/connection/{topic}", "+/#")
            seeing.subscribe(f"$SYS/broker/connection/{topic}")
            assert seeing.message().payload == b"kept"
            pub.publish(hidden, b"live", qos=1)
            assert seeing.message().payload == b"live"
            blind.settle()
            assert [m.topic for m in blind.messages if m.topic.startswith("$")] == []
        pub.publish(hidden, b"", qos=1, retain=True)


NAMES = ["a/#", "#", "a/+/b", "+", "a+b", "a#"]


@pytest.mark.parametrize("version", [4, 5])
def test_wildcards_and_nothing_in_a_name(broker, version):
    """[MQTT3-4.7.1-1], [MQTT5-4.7.0-1], [MQTT-3.3.2-2], [MQTT-4.7.3-1]: in PUBLISH, Response Topic and will"""
    for name in [*NAMES, ""]:
        with Wire(broker, version) as client:
            client.send(mqtt.publish(version, name, b"x", qos=1, packet_id=1))
            said = answer_of(client)
            assert (said is None) if version == 4 else said.reason == (0x82 if name == "" else 0x81)
        with Wire(broker, version, connect=False) as client:
            client.send(mqtt.connect(version, "x", will=mqtt.Will(name, b"x")))
            said = answer_of(client)
            assert (said is None) if version == 4 else (said.kind, said.reason) == (mqtt.CONNACK, 0x81)


def test_wildcards_in_a_response_topic(broker, topic):
    """[MQTT5-3.3.2-14]"""
    for name in NAMES:
        with Wire(broker) as client:
            client.send(mqtt.publish(5, topic, b"x", props={"response_topic": name}))
            assert answer_of(client).reason in (0x81, 0x82)


FILTERS = {"empty": "", "hash inside": "a/#/b", "hash glued": "a#", "hash glued in front": "#a", "plus glued": "a/b+",
           "plus glued in front": "+a", "two hashes": "##"}
SHARES = {"no filter": "$share/g", "no name": "$share//x", "empty filter": "$share/g/",
          "plus in the name": "$share/g+/x", "hash as name": "$share/#/x", "plus as name": "$share/+/x",
          "bad filter": "$share/g/a#"}
FILTER_CASES = [pytest.param(version, name, id=f"{label}-{version}") for version in (4, 5)
                for label, name in [*FILTERS.items(), *(SHARES.items() if version == 5 else ())]]


@pytest.mark.parametrize("version, name", FILTER_CASES)
def test_what_is_no_filter(broker, version, name):
    """[MQTT3-4.7.1-2], [MQTT3-4.7.1-3], [MQTT5-4.7.1-1], [MQTT5-4.7.1-2], [MQTT-4.7.3-1], [MQTT5-4.8.2-1],
    [MQTT5-4.8.2-2]: a packet that does not conform; SUBACK's code is for those that do"""
    for build in (lambda: mqtt.subscribe(version, 1, [("fine", 0), (name, 0)]),
                  lambda: mqtt.unsubscribe(version, 1, [name])):
        with Wire(broker, version) as client:
            client.send(build())
            said = answer_of(client)
            assert (said is None) if version == 4 else (said.kind, said.reason) == (mqtt.DISCONNECT, 0x81)


@pytest.mark.parametrize("version", [4, 5])
def test_wildcards_at_every_level(broker, topic, version):
    """[MQTT3-4.7.1-2], [MQTT3-4.7.1-3], [MQTT5-4.7.1-1], [MQTT5-4.7.1-2]: where the standard lets them stand"""
    tail = topic.replace("/", "-")
    with Wire(broker, version) as sub, Wire(broker, version) as pub:
        for number, pattern in enumerate([f"+/{tail}/#", f"{tail}/+/x", f"+/+/{tail}", f"{tail}/x/#", f"{tail}/+/+"]):
            sub.subscribe(pattern)
            name = pattern.replace("#", f"deep/er/{number}").replace("+", f"any{number}")
            pub.publish(name, b"x", qos=1)
            assert sub.message().topic == name
            sub.unsubscribe(pattern)
