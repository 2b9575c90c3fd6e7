"""Enhanced authentication, section 4.12 of MQTT 5.0: SCRAM-SHA-256, at CONNECT and later."""

import signal
import time

import mqtt
import pytest
from scram import AGAIN, CONTINUE, METHOD, Scram, ScramWire, props
from wire import Closed, Wire, fresh_address, tls_context

ITERATIONS = 4096


def add(broker, name, *options, command="add", password=None):
    return broker.passwd(command, name, "--scram", "--iterations", str(ITERATIONS), "--stdin", *options,
                        stdin=(password or broker.password(name)) + "\n")


@pytest.fixture(scope="module")
def broker(new_broker):
    broker = new_broker(users={"plain": ["all"]}, config={"workers": 2, "limits": {"connect_timeout": "5s"}})
    broker.config["listeners"] = [{"bind": f"127.0.0.1:{broker.port}"}, {"bind": f"unix:{broker.directory}/socket"}]
    broker.write()
    for name in ("anna", "åsa", "a=,b", "locked"):
        add(broker, name, "--role", "all")
    broker.passwd("lock", "locked")
    with broker:
        yield broker


@pytest.fixture
def own_broker(new_broker):
    """A broker for one test alone, to be reloaded."""
    h = new_broker(users={"first": ["all"]})
    add(h, "anna", "--role", "all")
    with h:
        yield h


def reload(broker):
    mark = broker.mark()
    broker.process.signal(signal.SIGHUP)
    broker.wait_log("reloaded", mark)


# getting in


@pytest.mark.parametrize("user", ["anna", "åsa", "a=,b"])
def test_right_password(broker, user):
    """[MQTT5-4.12.0-2], [MQTT5-4.12.0-5], [MQTT5-3.15.2-2], [MQTT5-3.15.2-3]"""
    mark = broker.mark()
    with ScramWire(broker, user) as client:
        client.settle()
    assert broker.wait_log("client-connected", mark, client_id=client.client_id)["user"] == user


def test_over_a_unix_socket(broker):
    with ScramWire(broker, listener=1) as client:
        client.settle()


def test_with_a_user_name_in_connect(broker):
    with ScramWire(broker, name="anna") as client:
        client.settle()
    ScramWire(broker, name="åsa", login=False).refused()


@pytest.mark.parametrize("header", ["y,,", "n,a=anna,"])
def test_other_headers(broker, header):
    with ScramWire(broker, scram=Scram("anna", broker.password("anna"), header=header)) as client:
        client.settle()


def test_extensions_are_passed_over(broker):
    with ScramWire(broker, scram=Scram("anna", broker.password("anna"), extensions=",x=1")) as client:
        client.settle()


def test_connect_without_data(broker):
    """As SASL has it: an empty challenge asks for the first message."""
    with Wire(broker, connect=False) as client:
        scram = Scram("anna", broker.password("anna"))
        client.send(mqtt.connect(5, "without-data", props=props()))
        asked = client.expect(mqtt.AUTH)
        assert (asked.reason, asked.props) == (CONTINUE, {"authentication_method": METHOD})
        client.send(mqtt.auth(CONTINUE, props(scram.first())))
        challenge = client.expect(mqtt.AUTH).props["authentication_data"]
        client.send(mqtt.auth(CONTINUE, props(scram.final(challenge))))
        assert scram.proves(client.expect(mqtt.CONNACK).props["authentication_data"])


def test_byte_by_byte(broker):
    with ScramWire(broker, login=False) as client:
        for byte in mqtt.auth(CONTINUE, props(client.scram.final(client.challenge()))):
            client.send(bytes([byte]))
        assert client.expect(mqtt.CONNACK).reason == 0
        client.settle()


def test_password_login_works_beside_scram(broker):
    """And its CONNACK names no method: [MQTT5-4.12.0-6]"""
    with Wire(broker, user="anna") as client:
        assert "authentication_method" not in client.connack.props


def test_both_methods_reach_the_same_session(broker, topic):
    kept = {"session_expiry_interval": 600}
    with ScramWire(broker, client_id="both-" + topic, **kept) as client:
        assert not client.connack.session_present
        client.subscribe(topic)
    with Wire(broker, client_id="both-" + topic, clean=False) as client:
        assert client.connack.session_present


# not getting in


@pytest.mark.parametrize("user, password", [
    ("anna", "wrong"), ("anna", ""), ("anna", "the password of anna "), ("locked", None), ("plain", None),
    ("nobody", None), ("nobody", ""), ("Anna", "the password of anna"), ("#", "x"), ("$SYS", "x"), ("a/b", "x"),
], ids=["wrong", "empty", "longer", "locked", "no-verifier", "unknown", "unknown-empty", "other-case", "hash",
        "dollar", "slash"])
def test_every_refusal_is_alike(broker, user, password):
    """Also if there is no such user: first a challenge of the same form, and then the same answer."""
    client = ScramWire(broker, user, password, login=False)
    challenge = client.challenge()
    _, salt, count = client.scram.read(challenge)
    assert (len(salt), count) == (16, ITERATIONS)
    client.say(client.scram.final(challenge))
    assert client.refused().props == {}


def challenge_of(broker, user):
    with ScramWire(broker, user, "x", login=False) as client:
        return client.scram.read(client.challenge())[1:]


def test_the_salt_does_not_reveal_existing_users(own_broker):
    """It does not change, for existing and for unknown users, over reloads, other users and restarts."""
    names = ["anna", "first", "nobody", "nobody2"]
    before = [challenge_of(own_broker, name) for name in names]
    assert [challenge_of(own_broker, name) for name in names] == before
    assert len({salt for salt, _ in before}) == len(names)
    add(own_broker, "another")
    own_broker.passwd("lock", "anna")
    own_broker.passwd("set", "first", "--stdin", stdin="a new one\n")
    reload(own_broker)
    assert [challenge_of(own_broker, name) for name in names] == before
    own_broker.stop()
    own_broker.start()
    assert [challenge_of(own_broker, name) for name in names] == before


def test_a_failure_is_not_anonymous(new_broker):
    broker = new_broker(config={"authentication": {"anonymous": True}})
    add(broker, "bo")
    with broker:
        client = ScramWire(broker, "bo", "wrong", login=False)
        client.answer_challenge()
        client.refused()


def guess(broker, address, number=0, by="by scram"):
    if by == "by scram":
        client = ScramWire(broker, password="wrong", login=False, address=address)
        client.answer_challenge()
        client.refused()
    else:
        Wire(broker, user="anna", password=f"wrong {number}", source=address, expect=0x86).expect_close()


def test_ten_wrong_guesses_delay_the_next_attempt(broker):
    """Each failed exchange counts, since nobody sees the passwords. Then this user waits at this address, even with the
    right password; another user or another address does not."""
    address = fresh_address()
    mark = broker.mark()
    for number in range(10):
        guess(broker, address, by="by scram" if number % 2 == 0 else "by password", number=number)
    said = broker.wait_log("logins-delayed", mark)
    assert (said["user"], said["address"]) == ("anna", address)
    client = ScramWire(broker, login=False, address=address)
    began = time.monotonic()
    client.answer_challenge()
    with ScramWire(broker) as other, ScramWire(broker, "åsa", address=address) as neighbour:
        other.settle()
        neighbour.settle()
    assert client.expect(mqtt.CONNACK).reason == 0
    assert time.monotonic() - began >= 0.5
    client.close()


@pytest.mark.parametrize("own", ["by scram", "by password"])
@pytest.mark.parametrize("by", ["by scram", "by password"])
def test_an_own_success_does_not_help_a_guesser(broker, by, own):
    """Logins with an own account between two guesses do not shorten the delay: ten are free, then 1 s."""
    address = fresh_address()
    began = time.monotonic()
    for number in range(11):
        if number > 0 and own == "by scram":
            ScramWire(broker, "åsa", address=address).close()
        elif number > 0:
            Wire(broker, user="plain", source=address).close()
        guess(broker, address, number, by)
    assert time.monotonic() - began >= 1


def test_a_client_that_disconnects_during_the_delay(broker):
    address = fresh_address()
    for _ in range(10):
        guess(broker, address)
    for _ in range(3):
        client = ScramWire(broker, password="wrong", login=False, address=address)
        client.answer_challenge()
        client.kill()
    for extra in (mqtt.auth(CONTINUE, props(b"x")), mqtt.packet(mqtt.PINGREQ, 0, b"")):
        client = ScramWire(broker, password="wrong", login=False, address=address)
        client.answer_challenge()
        client.send(extra)
        client.refused(0x82)
    with ScramWire(broker) as client:
        client.settle()


@pytest.mark.parametrize("method", ["SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "scram-sha-256", "PLAIN", "", "x" * 1000])
def test_other_methods(broker, method):
    """[MQTT5-4.12.0-1]"""
    ScramWire(broker, login=False, method=method).refused(0x8C)


def test_no_method_where_nobody_has_a_verifier(new_broker):
    with new_broker() as broker:
        ScramWire(broker, login=False).refused(0x8C)


def test_data_without_a_method(broker):
    """3.1.2.11.10: a protocol error"""
    ScramWire(broker, login=False, method=None).refused(0x82)


@pytest.mark.parametrize("first", [
    b"", b"n,,", b"n,,n=anna", b"n,,n=anna,r=", b"n=anna,r=abc", b"x,,n=anna,r=abc", b"n,,m=x,n=anna,r=abc",
    b"n,,n=anna,r=a b", b"n,,n=an\xffna,r=abc", b"n,,n=an\0na,r=abc", b"n,,n=an=2cna,r=abc", b"n,a=bo,n=anna,r=abc",
    b"p=tls-exporter,,n=anna,r=abc", b"p=tls-server-end-point,,n=anna,r=abc", b"n,,n=anna,r=" + b"x" * 3000,
    b"n,,n=" + b"x" * 300 + b",r=abc",
], ids=range(16))
def test_malformed_first_messages_are_refused(broker, first):
    said = ScramWire(broker, login=False, data=first).refused()
    assert "SCRAM" in said.props["reason_string"]
    assert ScramWire(broker, login=False, data=first, request_problem_information=0).refused().props == {}


def changed(name, value):
    def change(message):
        return b",".join(name + b"=" + value if part.startswith(name + b"=") else part for part in message.split(b","))
    return change


@pytest.mark.parametrize("change", [
    lambda m: b"", lambda m: m[:-1], lambda m: m + b",x=1", lambda m: m.replace(b",p=", b",x=1,p="),
    lambda m: m.rsplit(b",", 1)[0], changed(b"c", b"eSws"), changed(b"c", b"biwsYWJj"), changed(b"r", b"abc"),
    changed(b"p", b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), changed(b"p", b"AAAA"), lambda m: m + b"\xff",
], ids=["empty", "cut", "behind", "unsigned", "no-proof", "header", "binding", "nonce", "proof", "short", "utf8"])
def test_malformed_final_messages_are_refused(broker, change):
    client = ScramWire(broker, login=False)
    client.say(change(client.scram.final(client.challenge())))
    client.refused()


def test_a_message_of_another_exchange(broker):
    one = ScramWire(broker, login=False)
    one_final = one.scram.final(one.challenge())
    two = ScramWire(broker, login=False, scram=one.scram)
    two.challenge()
    two.say(one_final)
    two.refused()
    one.close()


# what else may come before CONNACK


@pytest.mark.parametrize("packet, reason", [
    (mqtt.packet(mqtt.PINGREQ, 0, b""), 0x82),
    (mqtt.publish(5, "a", b"x"), 0x82),
    (mqtt.subscribe(5, 1, [("#", 0)]), 0x82),
    (mqtt.connect(5, "again"), 0x82),
    (mqtt.auth(AGAIN, props(b"x")), 0x82),
    (mqtt.auth(0, props(b"x")), 0x82),
    (mqtt.auth(0x17, props(b"x")), 0x82),
    (mqtt.auth(CONTINUE, props(b"x", method=None)), 0x82),
    (mqtt.auth(CONTINUE, {}), 0x82),
    (mqtt.packet(mqtt.AUTH, 0, b""), 0x82),
    (mqtt.auth(CONTINUE, props(b"x", method="SCRAM-SHA-1")), 0x8C),
    (mqtt.packet(mqtt.AUTH, 1, mqtt.auth(CONTINUE, props(b"x"))[2:]), 0x81),
    (mqtt.auth(CONTINUE, props(b"x")) .replace(b"\x16\x00\x01", b"\x16\x00\x09"), 0x81),
    (mqtt.auth(CONTINUE, {**props(b"x"), "user_property": [("a", "b")] * 100}), 0x97),
    (b"\xf0\xff\xff\xff\x7f", 0x95),
    (b"\xf0\xff\xff\xff\xff\xff", 0x81),
], ids=["ping", "publish", "subscribe", "connect", "again", "success", "unknown", "no-method", "no-properties", "bare",
        "other-method", "flags", "length", "user-properties", "large", "remaining-length"])
def test_packets_before_connack(broker, packet, reason):
    """[MQTT5-3.1.2-30], [MQTT5-3.15.1-1], [MQTT5-3.15.2-1], [MQTT5-4.12.0-3], [MQTT5-4.12.0-4], [MQTT5-4.12.0-5]"""
    client = ScramWire(broker, login=False)
    client.challenge()
    client.send(packet)
    client.refused(reason)


def test_a_client_that_leaves(broker):
    """DISCONNECT is permitted, and not answered."""
    client = ScramWire(broker, login=False)
    client.challenge()
    client.send(mqtt.disconnect(5))
    assert client.expect_close() is None


def test_a_client_that_sends_nothing_more_times_out(broker):
    mark = broker.mark()
    began = time.monotonic()
    client = ScramWire(broker, login=False)
    client.challenge()
    assert client.expect_close() is None
    assert time.monotonic() - began > 4
    broker.wait_log("connection-closed-before-connect", mark, cause=lambda cause: "authentication" in cause)


def test_maximum_packet_size(broker):
    """[MQTT5-3.1.2-24]"""
    ScramWire(broker, login=False, maximum_packet_size=60).refused(0x95)
    with ScramWire(broker, maximum_packet_size=500) as client:
        client.settle()


def test_the_broker_stops_during_an_exchange(new_broker):
    broker = new_broker()
    add(broker, "bo")
    with broker:
        client = ScramWire(broker, "bo", login=False)
        client.challenge()
        waiting = ScramWire(broker, "bo", "wrong", login=False)
        waiting.answer_challenge()
        waiting.refused()
    client.expect_close()


# reauthentication


def test_reauthentication(broker, topic):
    """[MQTT5-4.12.1-1]: and everything else goes on meanwhile."""
    with ScramWire(broker) as client:
        client.subscribe(topic)
        for number in range(3):
            client.begin_again()
            challenge = client.challenge()
            client.publish(topic, str(number), qos=1)
            client.publish(topic, "x", qos=2)
            client.say(client.scram.final(challenge))
            done = client.expect(mqtt.AUTH)
            assert done.reason == 0 and client.scram.proves(done.props["authentication_data"])
            assert [client.message().payload for _ in range(2)] == [str(number).encode(), b"x"]
        client.settle()


def test_reauthentication_with_a_wrong_password(broker, topic):
    """[MQTT5-4.12.1-2]: the will goes out, for this was no clean end."""
    with Wire(broker) as watcher:
        watcher.subscribe(topic)
        client = ScramWire(broker, will=mqtt.Will(topic, b"gone"))
        client.begin_again(password="wrong")
        client.answer_challenge()
        client.disconnected(0x87)
        assert watcher.message().payload == b"gone"


@pytest.mark.parametrize("user", ["åsa", "nobody", "locked"])
def test_reauthentication_as_another_user(broker, user):
    client = ScramWire(broker)
    client.begin_again(user, broker.password(user))
    client.disconnected(0x87)


@pytest.mark.parametrize("packet, reason", [
    (mqtt.auth(CONTINUE, props(b"x")), 0x82),
    (mqtt.auth(0, props(b"x")), 0x82),
    (mqtt.auth(AGAIN, {}), 0x82),
    (mqtt.packet(mqtt.AUTH, 0, b""), 0x82),
    (mqtt.auth(AGAIN, props(b"n,,n=anna,r=abc", method="SCRAM-SHA-1")), 0x82),
    (mqtt.auth(AGAIN, props(b"n,,n=anna,r=abc")) * 2, 0x82),
    (mqtt.auth(AGAIN, props()), 0x87),
    (mqtt.auth(AGAIN, props(b"n,,n=anna")), 0x87),
    (mqtt.auth(AGAIN, props(b"p=tls-exporter,,n=anna,r=abc")), 0x87),
    (mqtt.auth(AGAIN, props(b"n,,n=anna,r=abc")) + mqtt.auth(CONTINUE, props(b"c=biws,r=abc,p=AAAA")), 0x87),
    (mqtt.auth(AGAIN, {**props(b"x"), "user_property": [("a", "b")] * 100}), 0x97),
], ids=["continue", "success", "no-method", "bare", "other-method", "twice", "no-data", "malformed", "binding", "final",
        "user-properties"])
def test_wrong_packets_after_connack(broker, packet, reason):
    """[MQTT5-4.12.1-1], [MQTT5-4.12.1-2]"""
    client = ScramWire(broker)
    client.send(packet)
    client.disconnected(reason)


def test_again_and_no_more(broker):
    client = ScramWire(broker)
    client.begin_again()
    client.challenge()
    client.disconnected(0x87)


def test_no_reason_string_for_who_wants_none(broker):
    client = ScramWire(broker, request_problem_information=0)
    client.begin_again(password="wrong")
    client.answer_challenge()
    assert client.disconnected(0x87).props == {}


def test_auth_of_a_client_without_a_method(broker):
    """[MQTT5-4.12.0-7]"""
    for packet in (mqtt.auth(AGAIN, props(b"n,,n=anna,r=abc")), mqtt.auth(CONTINUE, props(b"x")),
                   mqtt.auth(0, props())):
        with Wire(broker) as client:
            client.send(packet)
            assert client.expect_close().reason == 0x82


def test_auth_in_3_1_1(broker):
    """In 3.1.1 it is a reserved packet type: closed without a packet."""
    with Wire(broker, 4) as client:
        client.send(mqtt.auth(AGAIN, props(b"n,,n=anna,r=abc")))
        assert client.expect_close() is None


def test_auth_as_the_first_packet(broker):
    with Wire(broker, connect=False) as client:
        client.send(mqtt.auth(CONTINUE, props(b"n,,n=anna,r=abc")))
        with pytest.raises(Closed):
            client.take()


# the users change


def test_a_new_password_during_the_exchange(own_broker):
    """Judged by the rules of the moment in which it ends."""
    client = ScramWire(own_broker, login=False)
    challenge = client.challenge()
    add(own_broker, "anna", command="set", password="another")
    reload(own_broker)
    client.say(client.scram.final(challenge))
    client.refused()
    with ScramWire(own_broker, "anna", "another") as client:
        client.settle()


def test_other_users_change_during_the_exchange(own_broker):
    client = ScramWire(own_broker, login=False)
    challenge = client.challenge()
    add(own_broker, "another")
    reload(own_broker)
    client.say(client.scram.final(challenge))
    assert client.expect(mqtt.CONNACK).reason == 0
    client.close()


@pytest.mark.parametrize("command", ["lock", "remove"])
def test_locked_or_removed_during_the_exchange(own_broker, command):
    client = ScramWire(own_broker, login=False)
    challenge = client.challenge()
    own_broker.passwd(command, "anna")
    reload(own_broker)
    client.say(client.scram.final(challenge))
    client.refused()


def test_a_new_password_ends_existing_connections(own_broker):
    """Whichever way they came in; also when it is the same password without a verifier."""
    by_scram, by_password = ScramWire(own_broker), Wire(own_broker)
    own_broker.passwd("set", "anna", "--stdin", stdin=own_broker.password("anna") + "\n")
    reload(own_broker)
    by_scram.disconnected(0x87)
    assert by_password.expect_close().reason == 0x87


# client ids and certificates: as for passwords


def test_the_client_id_must_fit(new_broker):
    broker = new_broker(config={"authentication": {"bind_client_id": "prefix"}})
    add(broker, "bo")
    with broker:
        with ScramWire(broker, "bo", client_id="bo-1") as client:
            client.authenticate_again()
            reload(broker)  # nothing of the id changed: it may go on
            client.authenticate_again()
        for user in ("bo", "nobody"):
            for client_id in ("x-1", "boo", ""):
                ScramWire(broker, user, login=False, client_id=client_id).refused(0x85)
        broker.config["authentication"]["bind_client_id"] = "prefix_any"
        broker.write()
        reload(broker)
        with ScramWire(broker, "bo", client_id="") as client:
            assert client.connack.props["assigned_client_identifier"]
            client.authenticate_again()


def test_certificates(new_broker, pki):
    """A user name in CONNECT must be the same; a required certificate must be there."""
    authority = pki.authority("scramclients")
    for name in ("card-bo", "card-eve"):
        pki.client("scramclients", name, name[5:])
    tls = {"client_certificates": "required", "client_ca": str(authority)}
    broker = new_broker()
    broker.config["listeners"] = [{"bind": f"127.0.0.1:{broker.port}", "tls": tls,
                                  "authentication": {"certificate_user": "cn"}}]
    broker.write()
    add(broker, "bo")
    add(broker, "eve")
    with broker:
        with ScramWire(broker, "bo", context=tls_context(pki, certificate="card-bo")) as client:
            client.authenticate_again()
        ScramWire(broker, "bo", login=False, context=tls_context(pki, certificate="card-eve")).refused()
        wrong = ScramWire(broker, "bo", "wrong", login=False, context=tls_context(pki, certificate="card-bo"))
        wrong.answer_challenge()
        wrong.refused()


def test_many_at_once(broker):
    """On both workers, each with its own nonce."""
    clients = [ScramWire(broker, login=False) for _ in range(40)]
    finals = [client.scram.final(client.challenge()) for client in clients]
    for client, final in zip(reversed(clients), reversed(finals)):
        client.say(final)
    for client in clients:
        assert client.expect(mqtt.CONNACK).reason == 0
        client.close()


def test_no_password_and_no_verifier_in_the_log(broker):
    said = "\n".join(broker.process.lines)
    assert "the password of" not in said and "SHA-256$" not in said and ",p=" not in said
