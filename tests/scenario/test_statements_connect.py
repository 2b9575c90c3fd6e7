"""What the standards say of CONNECT and CONNACK, on the wire of both versions."""

import string

import mqtt
import pytest
from broker_fixture import free_bind
from statements import ACL, KEEP, answer_of, opened
from wire import Closed, Wire

FULL, POOR = 1, 2  # listeners: one connection only; neither QoS above 0 nor retained messages


@pytest.fixture(scope="module")
def broker(new_broker):
    limits = [{}, {"connections": 1}, {"max_qos": 0, "retain_available": False}]
    config = {"listeners": [{"bind": free_bind(), "limits": one} for one in limits]}
    with new_broker(config=config, acl=ACL, users={"anna": ["all"], "mute": ["mute"]}) as broker:
        yield broker


def say(broker, version, data, listener=0):
    with Wire(broker, version, connect=False, listener=listener) as client:
        client.send(data)
        return answer_of(client)


def raw(version, flags, *payload, name="MQTT", level=None, header=0):
    head = mqtt.text(name) + mqtt.u8(level or version) + mqtt.u8(flags) + mqtt.u16(60)
    return mqtt.packet(mqtt.CONNECT, header, head + (b"\0" if version == 5 else b"") + b"".join(payload))


ID, TEXT = mqtt.text("x"), mqtt.text("t")
NO_WILL_PROPS = {4: b"", 5: b"\0"}
# name, bytes for a version; all of it is refused without CONNACK (3.1.1) or with 0x81 (5.0)
MISSHAPEN = [
    ("no client id", lambda v: raw(v, 0x02)),
    ("flags of the fixed header", lambda v: raw(v, 0x02, ID, header=1)),
    ("reserved connect flag", lambda v: raw(v, 0x03, ID)),
    ("will QoS 3", lambda v: raw(v, 0x1E, ID, NO_WILL_PROPS[v], TEXT, TEXT)),
    ("will QoS 1 without will", lambda v: raw(v, 0x0A, ID)),
    ("will QoS 2 without will", lambda v: raw(v, 0x12, ID)),
    ("will retain without will", lambda v: raw(v, 0x22, ID)),
    ("will without topic", lambda v: raw(v, 0x06, ID, NO_WILL_PROPS[v])),
    ("will without message", lambda v: raw(v, 0x06, ID, NO_WILL_PROPS[v], TEXT)),
    ("will fields without flag", lambda v: raw(v, 0x02, ID, NO_WILL_PROPS[v], TEXT, TEXT)),
    ("user name without flag", lambda v: raw(v, 0x02, ID, TEXT)),
    ("user name flag without name", lambda v: raw(v, 0x82, ID)),
    ("password flag without password", lambda v: raw(v, 0xC2, ID, TEXT)),
    ("password without flag", lambda v: raw(v, 0x82, ID, TEXT, TEXT)),
    ("byte behind the end", lambda v: raw(v, 0x02, ID, b"\0")),
    ("client id cut off", lambda v: raw(v, 0x02, b"\0\x09abc")),
]


@pytest.mark.parametrize("build", [row[1] for row in MISSHAPEN], ids=[row[0] for row in MISSHAPEN])
def test_connect_of_another_shape(broker, version, build):
    """[MQTT-3.1.4-1], [MQTT-3.1.2-3], [MQTT-3.1.2-9], [MQTT-3.1.3-3], [MQTT3-3.1.2-11], [MQTT3-3.1.2-13],
    [MQTT3-3.1.2-14], [MQTT3-3.1.2-15], [MQTT3-3.1.2-18], [MQTT3-3.1.2-19], [MQTT3-3.1.2-20], [MQTT3-3.1.2-21],
    [MQTT5-3.1.2-11], [MQTT5-3.1.2-12], [MQTT5-3.1.2-13], [MQTT5-3.1.2-16], [MQTT5-3.1.2-17], [MQTT5-3.1.2-18],
    [MQTT5-3.1.2-19]"""
    said = say(broker, version, build(version))
    if version == 4:
        assert said is None
    else:
        assert (said.kind, said.reason, said.session_present) == (mqtt.CONNACK, 0x81, False)


def test_password_alone(broker):
    """[MQTT3-3.1.2-22]; 5.0 permits it: here it is somebody without a name, who is not known"""
    assert say(broker, 4, raw(4, 0x42, ID, TEXT)) is None
    assert say(broker, 5, raw(5, 0x42, ID, TEXT)).reason in (0x86, 0x87)


@pytest.mark.parametrize("name", ["mqtt", "MQTTX", "MQIsdp", "HTTP"])
def test_another_protocol_name(broker, version, name):
    """[MQTT-3.1.2-1]: it may be refused by a CONNACK, which the level decides about"""
    said = say(broker, version, raw(version, 0x02, ID, name=name))
    assert (said.kind, said.reason) == (mqtt.CONNACK, 0x01 if version == 4 else 0x84)


def test_no_protocol_name(broker, version):
    """[MQTT-3.1.2-1]"""
    assert say(broker, version, raw(version, 0x02, ID, name="")) is None


@pytest.mark.parametrize("level, understands", [(0, 4), (1, 4), (3, 4), (6, 5), (0x7F, 5)])
def test_another_level(broker, level, understands):
    """[MQTT-3.1.2-2]: below 5 CONNACK 0x01, above it 0x84"""
    said = say(broker, understands, raw(understands, 0x02, ID, level=level) if level else
               raw(4, 0x02, ID).replace(b"MQTT\x04", b"MQTT\x00"))
    assert (said.kind, said.reason) == (mqtt.CONNACK, 0x01 if understands == 4 else 0x84)
    assert not said.session_present


def test_protocol_level_3(broker):
    """What an MQTT 3.1 client sends first, with the protocol name of that time: return code 1. [MQTT3-3.1.2-2]"""
    for name in ("MQIsdp", "MQTT"):
        said = say(broker, 4, raw(4, 0x02, ID, name=name, level=3))
        assert (said.kind, said.reason, said.session_present) == (mqtt.CONNACK, 1, False)


def test_return_codes_of_311(broker):
    """All five; Session Present is 0 and the connection closes. [MQTT3-3.2.2-4], [MQTT3-3.2.2-5], [MQTT3-3.1.3-8],
    [MQTT3-3.1.3-9]"""
    anna = {"user": "anna", "password": broker.password("anna")}
    rows = [
        (1, 0, raw(4, 0x02, ID, level=3)),
        (2, 0, mqtt.connect(4, "", clean=False, **anna)),
        (3, FULL, mqtt.connect(4, "second", **anna)),
        (4, 0, mqtt.connect(4, "x", user="anna", password="wrong")),
        (5, 0, mqtt.connect(4, "x")),
    ]
    with Wire(broker, listener=FULL):
        for code, listener, data in rows:
            with Wire(broker, 4, connect=False, listener=listener, source=f"127.2.0.{code}") as client:
                client.send(data)
                said = answer_of(client)
                assert (said.kind, said.reason, said.session_present) == (mqtt.CONNACK, code, False)


def test_refusals_of_5(broker):
    """[MQTT5-3.2.2-6], [MQTT5-3.2.2-7], [MQTT5-3.2.2-8], [MQTT5-4.13.2-1], [MQTT5-3.1.4-2], [MQTT5-3.14.0-1]: one
    CONNACK, never a DISCONNECT, then the end"""
    anna = {"user": "anna", "password": broker.password("anna")}
    mute = {"user": "mute", "password": broker.password("mute")}
    rows = [
        (0x81, 0, raw(5, 0x03, ID)),
        (0x82, 0, mqtt.connect(5, "x", props={"receive_maximum": 0}, **anna)),
        (0x84, 0, raw(5, 0x02, ID, level=6)),
        (0x86, 0, mqtt.connect(5, "x", user="anna", password="wrong")),
        (0x87, 0, mqtt.connect(5, "x")),
        (0x87, 0, mqtt.connect(5, "x", will=mqtt.Will("mute/x"), **mute)),
        (0x89, FULL, mqtt.connect(5, "second", **anna)),
        (0x8C, 0, mqtt.connect(5, "x", props={"authentication_method": "no-such-method"}, **anna)),
        (0x90, 0, mqtt.connect(5, "x", will=mqtt.Will("/".join("x" * 200)), **anna)),
        (0x99, 0, mqtt.connect(5, "x", will=mqtt.Will("t", b"\xff", props={"payload_format_indicator": 1}), **anna)),
        (0x9A, POOR, mqtt.connect(5, "x", will=mqtt.Will("t", b"x", retain=True), **anna)),
        (0x9B, POOR, mqtt.connect(5, "x", will=mqtt.Will("t", b"x", qos=1), **anna)),
    ]
    with Wire(broker, listener=FULL):
        for number, (code, listener, data) in enumerate(rows):
            with Wire(broker, 5, connect=False, listener=listener, source=f"127.2.1.{number + 1}") as client:
                client.send(data)
                said = answer_of(client)
                assert (said.kind, said.reason, said.session_present) == (mqtt.CONNACK, code, False)


CONNECT_PROPERTIES = [
    ("receive maximum 0", {"receive_maximum": 0}), ("maximum packet size 0", {"maximum_packet_size": 0}),
    ("request problem information 2", {"request_problem_information": 2}),
    ("request response information 2", {"request_response_information": 2}),
    ("session expiry twice", {"session_expiry_interval": [1, 1]}),
    ("authentication data without a method", {"authentication_data": b"x"}),
]


@pytest.mark.parametrize("props", [row[1] for row in CONNECT_PROPERTIES], ids=[row[0] for row in CONNECT_PROPERTIES])
def test_properties_that_are_a_protocol_error(broker, props):
    """5.0, 3.1.2.11"""
    assert say(broker, 5, mqtt.connect(5, "x", props=props)).reason == 0x82


def test_what_has_no_return_code(broker):
    """[MQTT3-3.2.2-6]: for what has no return code there is no CONNACK"""
    for will in (mqtt.Will("a/#", b"x"), mqtt.Will("", b"x")):
        assert say(broker, 4, mqtt.connect(4, "x", will=will)) is None
    assert say(broker, 4, mqtt.connect(4, "x", user="anna", password=broker.password("anna"),
                                       will=mqtt.Will("t", b"x", qos=1)), POOR) is None


def test_every_field_in_its_place(broker, topic, version):
    """[MQTT-3.1.3-1]: id, will, user name and password, all of them there, each found where it belongs"""
    with Wire(broker) as watcher:
        watcher.subscribe(topic)
        mark = broker.mark()
        Wire(broker, version, client_id=f"id-{version}", will=mqtt.Will(topic, b"message", 1)).kill()
        assert broker.wait_log("client-connected", mark, client_id=f"id-{version}")["user"] == "anna"
        got = watcher.message()
        assert (got.topic, got.payload, got.qos) == (topic, b"message", 1)


def test_client_ids_every_server_must_allow(broker, version):
    """[MQTT-3.1.3-5]"""
    letters = string.digits + string.ascii_lowercase + string.ascii_uppercase
    for client_id in [*(letters[at:at + 23] for at in range(0, 62, 23)), *letters[::7], "x" * 23]:
        with Wire(broker, version, client_id=client_id) as client:
            assert "assigned_client_identifier" not in client.connack.props


def test_client_id_is_the_session(broker, topic, version):
    """[MQTT-3.1.3-2]: state is found by it, exactly as it was written"""
    with opened(broker, version, topic) as client:
        client.subscribe(topic)
    for other in (topic.upper(), topic + " ", topic[:-1]):
        with opened(broker, version, other) as client:
            assert not client.connack.session_present
    with opened(broker, version, topic) as client:
        assert client.connack.session_present


def test_empty_client_id(broker, version):
    """[MQTT-3.1.3-6], [MQTT5-3.1.3-7], [MQTT5-3.2.2-16]: several at once, none takes over another"""
    clients = [Wire(broker, version, client_id="") for _ in range(5)]
    for client in clients:
        client.settle()
        client.close()
    if version == 5:
        assert len({c.connack.props["assigned_client_identifier"] for c in clients}) == 5


def test_assigned_client_id_is_like_a_chosen_one(broker, topic):
    """[MQTT5-3.1.3-7]: with Clean Start 0 too; its session is found again by that name"""
    with Wire(broker, client_id="", clean=False, props=KEEP) as client:
        assigned = client.connack.props["assigned_client_identifier"]
        client.subscribe(topic)
    with Wire(broker, client_id=assigned, clean=False, props=KEEP) as client:
        assert client.connack.session_present
        client.publish(topic, b"x", qos=1)
        assert client.message().payload == b"x"


def test_empty_client_id_without_clean_session(broker):
    """[MQTT3-3.1.3-7], [MQTT3-3.1.3-8]"""
    said = say(broker, 4, mqtt.connect(4, "", clean=False, user="anna", password=broker.password("anna")))
    assert (said.kind, said.reason, said.session_present) == (mqtt.CONNACK, 2, False)


def test_session_present(broker, topic, version):
    """[MQTT3-3.2.2-1], [MQTT3-3.2.2-2], [MQTT3-3.2.2-3], [MQTT5-3.2.2-2], [MQTT5-3.2.2-3], [MQTT3-3.1.4-3],
    [MQTT3-3.1.4-4], [MQTT5-3.1.4-4], [MQTT5-3.1.4-5], [MQTT5-3.1.2-6], [MQTT5-3.2.2-1]"""
    steps = [(False, False), (False, True), (True, False), (False, version == 5), (True, False)]
    for clean, present in steps:  # a clean 5.0 session with an expiry is kept, a clean one of 3.1.1 is not
        props = {"props": KEEP} if version == 5 else {}
        with Wire(broker, version, client_id=topic, clean=clean, **props) as client:
            assert (client.connack.session_present, client.connack.reason) == (present, 0)


def test_connack_is_first_and_only(broker, topic, version):
    """[MQTT3-3.2.0-1], [MQTT5-3.2.0-1], [MQTT5-3.2.0-2]: a queue waits, and a request came right behind CONNECT"""
    with opened(broker, version, topic) as sub:
        sub.subscribe(topic)
    with Wire(broker) as pub:
        for _ in range(5):
            pub.publish(topic, b"x", qos=1)
    props = {"props": KEEP} if version == 5 else {}
    with Wire(broker, version, connect=False) as sub:
        sub.send(mqtt.connect(version, topic, user="anna", password=broker.password("anna"), clean=False, **props)
                 + mqtt.packet(mqtt.PINGREQ, 0, b"") + mqtt.subscribe(version, 1, [(topic, 1)]))
        kinds = []
        while len(kinds) < 8:
            kinds.append(sub.take().kind)
        assert kinds[0] == mqtt.CONNACK
        assert sorted(kinds[1:]) == sorted([mqtt.PINGRESP, mqtt.SUBACK] + [mqtt.PUBLISH] * 5)


def test_what_a_poor_server_announces(broker, topic):
    """[MQTT5-3.2.2-9], [MQTT5-3.2.2-10], and that it is kept: [MQTT5-3.2.2-11], [MQTT5-3.2.2-14]"""
    with Wire(broker, listener=POOR) as client:
        assert (client.connack.props["maximum_qos"], client.connack.props["retain_available"]) == (0, 0)
        for qos in range(3):
            client.subscribe(f"{topic}/{qos}", qos=qos, expect=[0])
        client.publish(f"{topic}/1", b"x")
        assert client.message().qos == 0
    for data, reason in ((mqtt.publish(5, topic, b"x", qos=1, packet_id=1), 0x9B),
                         (mqtt.publish(5, topic, b"x", retain=True), 0x9A)):
        with Wire(broker, listener=POOR) as client:
            client.send(data)
            assert answer_of(client).reason == reason


def test_wills_beyond_a_poor_server(broker, topic):
    """[MQTT5-3.2.2-12], [MQTT5-3.2.2-13]"""
    for will, reason in ((mqtt.Will(topic, b"x", 1), 0x9B), (mqtt.Will(topic, b"x", 2), 0x9B),
                         (mqtt.Will(topic, b"x", 0, True), 0x9A)):
        client = Wire(broker, listener=POOR, will=will, expect=reason)
        with pytest.raises(Closed):
            client.read()


def test_connack_within_the_maximum_packet_size(broker):
    """[MQTT5-3.1.2-24], [MQTT5-3.2.2-19], [MQTT5-3.2.2-20]: what does not fit is not sent"""
    sizes = {}
    for most in (1, 2, 4, 5, 8, 12, 20, 30, 50, 70, 200):
        for name, options in (("accepted", {"user": "anna"}), ("assigned", {"user": "anna", "client_id": ""}),
                              ("refused", {"user": "mute", "will": mqtt.Will("mute/x")})):
            options = {"client_id": "size", **options}
            options["password"] = broker.password(options["user"])
            with Wire(broker, connect=False) as client:
                client.send(mqtt.connect(5, options.pop("client_id"), props={"maximum_packet_size": most}, **options))
                try:
                    said = client.read()
                    assert said.size <= most
                    sizes[name, most] = said.reason
                except Closed:
                    pass
    assert sizes["accepted", 200] == 0 and sizes["assigned", 200] == 0 and sizes["refused", 200] == 0x87
    assert ("accepted", 4) not in sizes and ("assigned", 50) not in sizes
    assert sizes["refused", 12] == 0x87


def test_response_information(broker):
    """[MQTT5-3.1.2-28]: none for who did not ask, or asked with 0"""
    for props in ({}, {"request_response_information": 0}):
        with Wire(broker, props=props) as client:
            assert "response_information" not in client.connack.props


def test_no_authentication_method_no_auth(broker, topic):
    """[MQTT5-4.12.0-6], [MQTT5-4.12.0-7]"""
    with Wire(broker) as client:
        assert "authentication_method" not in client.connack.props
        client.send(mqtt.packet(mqtt.AUTH, 0, b""))
        assert answer_of(client).reason == 0x82
    with Wire(broker) as client:
        client.send(mqtt.packet(mqtt.AUTH, 0, b"\x19" + mqtt.properties({"authentication_method": "x"})))
        assert answer_of(client).reason == 0x82


def test_a_method_that_is_not_known(broker):
    """[MQTT5-4.12.0-1]"""
    said = say(broker, 5, mqtt.connect(5, "x", user="anna", password=broker.password("anna"),
                                       props={"authentication_method": "no-such-method"}))
    assert (said.kind, said.reason) == (mqtt.CONNACK, 0x8C)


FIRST = [("PINGREQ", mqtt.packet(mqtt.PINGREQ, 0, b"")), ("PUBLISH", mqtt.publish(4, "t", b"x")),
         ("SUBSCRIBE", mqtt.subscribe(4, 1, [("#", 0)])), ("DISCONNECT", mqtt.disconnect(4)),
         ("AUTH", mqtt.packet(mqtt.AUTH, 0, b"")), ("CONNACK", mqtt.packet(mqtt.CONNACK, 0, b"\0\0"))]


@pytest.mark.parametrize("data", [row[1] for row in FIRST], ids=[row[0] for row in FIRST])
def test_another_packet_before_connect(broker, version, data):
    """[MQTT-3.1.0-1]: closed without a word, and a CONNECT behind it is not looked at"""
    anna = mqtt.connect(version, "behind", user="anna", password=broker.password("anna"))
    assert say(broker, version, data + anna) is None


def test_connect_again(broker, version):
    """[MQTT-3.1.0-2]"""
    with Wire(broker, version) as client:
        client.send(mqtt.connect(version, client.client_id, user="anna", password=broker.password("anna")))
        said = answer_of(client)
        assert (said is None) if version == 4 else (said.kind, said.reason) == (mqtt.DISCONNECT, 0x82)


def test_server_keep_alive_is_the_clients_own(broker):
    """[MQTT5-3.2.2-22]: nothing is set here, so nothing is announced"""
    with Wire(broker, keep_alive=7) as client:
        assert "server_keep_alive" not in client.connack.props
