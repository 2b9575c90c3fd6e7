"""Control topics: what broker-ctl asks, asked by clients of MQTT 5.0, and what keeps everybody else from it."""

import json
import re
import subprocess

import mqtt
import pytest
from broker_fixture import free_port
from clients import Paho, mosquitto_options
from control import ctl, rows, run_ctl
from process import TIMEOUT_S
from wire import Wire

PREFIX, ANSWER = "$CONTROL/vakt/v1/", "$CONTROL/vakt/v1/answer/"
ACL = {"roles": {"all": ["allow all #"],
                 "admin": ["allow all # $SYS/# $CONTROL/vakt/v1/#", "allow subscribe $CONTROL/#"],
                 "wide": ["allow all # $SYS/# $CONTROL/#"],
                 "viewer": ["allow publish $CONTROL/vakt/v1/status", "allow subscribe $CONTROL/vakt/v1/answer/%c"],
                 "deaf": ["deny receive answers/x", "allow publish $CONTROL/vakt/v1/#", "allow subscribe answers/#"]},
       "anonymous": {"rules": ["allow all # $CONTROL/vakt/#"]}}
USERS = {"anna": ["all"], "owner": ["admin"], "wide": ["wide"], "viewer": ["viewer"], "deaf": ["deaf"]}
CONFIG = {"workers": 2, "control": {"socket": "control.sock"}, "persistence": {"directory": "store"},
          "log": {"audit": "audit.log"}, "authentication": {"anonymous": True}}
AWAY = {"session_expiry_interval": 600}


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(acl=ACL, users=USERS, config=CONFIG) as broker:
        yield broker


class Asker(Wire):
    """A client that asks."""

    def __init__(self, broker, user="owner", answer=None, **more):
        super().__init__(broker, user=user, **more)
        self.answer_topic = answer or ANSWER + self.client_id
        self.subscribe(self.answer_topic)

    def request(self, command, payload=b"", *, qos=1, number=b"7", **more):
        """The reason of the acknowledgement."""
        props = {"response_topic": self.answer_topic, "correlation_data": number}
        payload = json.dumps(payload).encode() if isinstance(payload, dict) else payload
        told = self.publish(PREFIX + command, payload, qos=qos, props=props, **more)
        return told.reason if told else None

    def pages(self, number=b"7"):
        """Those of one answer."""
        pages = []
        while not pages or not pages[-1].payload.splitlines()[-1].startswith((b'{"done"', b'{"error"')):
            page = self.message()
            assert (page.topic, page.qos, page.retain) == (self.answer_topic, 0, False)
            assert page.props["correlation_data"] == number and page.payload.endswith(b"\n")
            pages.append(page)
        return pages

    def lines(self, number=b"7"):
        return [json.loads(line) for page in self.pages(number) for line in page.payload.splitlines()]

    def ask(self, command, payload=b"", **more):
        """The lines, and how it ended."""
        reason = self.request(command, payload, **more)
        assert reason in (None, 0)
        *lines, end = self.lines()
        return lines, end


# what comes back

@pytest.mark.parametrize("qos", [0, 1, 2])
def test_answers_are_those_of_the_control_socket(broker, qos):
    with Asker(broker) as asker:
        assert asker.ask("clients", qos=qos) == (rows(broker, "clients"), {"done": True})
        assert asker.ask("usage", qos=qos)[1] == {"done": True}
        (figures, *listeners), end = asker.ask("status", qos=qos)
        wanted, *others = rows(broker, "status")
        assert figures.keys() == wanted.keys() and listeners == others and end == {"done": True}
        assert figures["process"] == wanted["process"]


def test_an_argument_and_what_was_wrong(broker):
    with Asker(broker) as asker, Wire(broker, client_id="unwanted") as unwanted:
        mark = broker.mark()
        assert asker.ask("kick", {"id": "nobody"}) == ([], {"error": "no client with this id is connected; "
                                                                     "'clients' lists them"})
        rows_, end = asker.ask("kick", {"id": "unwanted"}, qos=2)
        assert rows_[0]["disconnected"] and end == {"done": True}
        assert unwanted.expect_close().reason == 0x98
        peer = "{}:{}".format(*asker.stream.getsockname())
        broker.wait_log("control-command", mark, command="kick", client_id="unwanted", peer=peer, asked_by="owner",
                        asked_by_client=asker.client_id)
        assert asker.ask("retained", b'{"filter":"nothing"}\n') == ([], {"done": True})
        assert asker.ask("kick")[1] == {"error": "the command needs an argument"}
        assert asker.ask("kick", {"id": "x", "command": "status"})[1] == {
            "error": "this command does not take this argument"}


def test_subscription_identifiers(broker):
    """[MQTT5-3.3.4-3]"""
    with Wire(broker, user="owner") as client:
        client.subscribe("answers/1", props={"subscription_identifier": 9})
        client.publish(PREFIX + "reload", b"?", props={"response_topic": "answers/1"})
        page = client.message()
        assert page.props["subscription_identifier"] in (9, [9]) and "correlation_data" not in page.props


def test_pages_respect_the_maximum_packet_size(broker):
    """[MQTT5-3.1.2-24]"""
    with Wire(broker, client_id="n" * 200), Asker(broker, props={"maximum_packet_size": 600}) as asker:
        asker.request("clients")
        pages = asker.pages()
        assert len(pages) > 1
        assert all(len(page.payload) < 600 for page in pages)
        ids = [json.loads(line).get("client_id") for page in pages for line in page.payload.splitlines()]
        assert "n" * 200 in ids and asker.client_id in ids
    with Wire(broker, client_id="n" * 2000), Asker(broker, props={"maximum_packet_size": 600}) as asker:
        asker.request("clients")
        assert asker.lines()[-1] == {"error": "a line of the answer is larger than the client's Maximum Packet Size"}
        assert asker.ask("reload", {"x": "y"})[1] == {"error": "this command does not take this argument"}


# who may not

def refused(broker, client, topic=PREFIX + "status", *, reason, props=None, **more):
    props = {"response_topic": ANSWER + client.client_id} if props is None else props
    told = client.publish(topic, qos=1, props=props, **more)
    assert told.reason == reason, told
    client.settle()
    return told.props.get("reason_string")


def test_rules(broker):
    mark = broker.mark()
    with Asker(broker, "viewer") as viewer:
        assert viewer.ask("status")[1] == {"done": True}
        assert "no rule whose filter begins with $CONTROL/vakt/" in refused(broker, viewer, PREFIX + "clients", reason=0x87)
        assert viewer.messages == []
        broker.wait_log("publish-denied", mark, topic=PREFIX + "clients", user="viewer")
    with Asker(broker, "wide") as wide:
        assert "no rule whose filter begins" in refused(broker, wide, reason=0x87)
        assert wide.messages == []
    with Asker(broker, "anna", "answers/1") as anna:
        refused(broker, anna, reason=0x87)
    with Asker(broker, None, "answers/1") as nobody:
        assert "without a login" in refused(broker, nobody, reason=0x87)
    with Wire(broker, user="deaf") as deaf:
        deaf.subscribe("answers/x")
        refused(broker, deaf, PREFIX + "status", reason=0x87, props={"response_topic": "answers/x"})
        assert deaf.messages == []


def test_requests_that_are_none(broker):
    with Asker(broker) as asker:
        mark = broker.mark()
        assert "needs a Response Topic" in refused(broker, asker, reason=0x83, props={})
        broker.wait_log("publish-refused", mark, topic=PREFIX + "status", client_id=asker.client_id)
        assert "subscribe to it first" in refused(broker, asker, reason=0x83, props={"response_topic": "elsewhere"})
        assert asker.messages == []
        assert "without RETAIN" in refused(broker, asker, reason=0x83, retain=True)
        assert asker.messages.pop().payload.startswith(b'{"error":"a control request is never')
        assert "no such command" in refused(broker, asker, PREFIX + "mend", reason=0x90)
        assert "no such command" in refused(broker, asker, ANSWER + "x", reason=0x90)
        assert "JSON" in refused(broker, asker, reason=0x99, payload=b"{")
        assert [m.payload[:9] for m in asker.messages] == [b'{"error":'] * 3
    with Asker(broker) as asker:
        asker.subscribe("$share/g/answers/#")
        assert "subscribe to it first" in refused(broker, asker, reason=0x83, props={"response_topic": "answers/1"})


def test_other_ways_in(broker):
    """Without Response Topic, as a will, by HTTP."""
    with Wire(broker, 4, user="owner") as old:
        mark = broker.mark()
        old.publish(PREFIX + "status", qos=1)
        assert "MQTT 5.0" in broker.wait_log("publish-refused", mark, client_id=old.client_id)["cause"]
        old.settle()
        assert old.messages == []
    for version in 4, 5:
        will = mqtt.Will(PREFIX + "reload", b"")
        Wire(broker, version, user="owner", will=will, expect=5 if version == 4 else 0x87).close()


def test_a_script(new_broker):
    broker = new_broker(acl=ACL, users=USERS, config=CONFIG)
    port = free_port()
    broker.config["listeners"].append({"bind": f"127.0.0.1:{port}", "protocol": "https", "serve": ["publish"]})
    broker.write()
    with broker:
        done = subprocess.run(["curl", "-sS", "--cacert", str(broker.pki.path("ca.crt")), "-u", f"owner:{broker.password('owner')}",
                               "-d", "", f"https://localhost:{port}/publish/$CONTROL/vakt/v1/reload?qos=1"],
                              capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
        assert "HTTP requests control the broker" in done.stdout, done.stdout
        assert not any("control-command" in line for line in broker.process.lines)


# where a request is not

def test_nobody_else_sees_it(broker):
    with Wire(broker, user="owner", client_id="away", clean=False, props=AWAY) as away:
        away.subscribe("$CONTROL/#")
        away.disconnect()
    with Wire(broker, user="owner") as other, Asker(broker) as asker:
        other.subscribe("$CONTROL/#", "$CONTROL/vakt/v1/status", asker.answer_topic)
        for qos in 0, 1, 2:
            assert asker.ask("status", qos=qos)[1] == {"done": True}
        other.settle()
        assert other.messages == []
        assert rows(broker, "retained", "$CONTROL/#") == []
        session = [r for r in rows(broker, "sessions") if r["client_id"] == "away"][0]
        assert session["queued"] == 0
    with Wire(broker, user="owner", client_id="away", clean=False) as away:
        away.settle()
        assert away.messages == []


def test_the_same_answer_topic_for_two(broker):
    """Each gets its own answer alone."""
    with Asker(broker, answer="answers/all") as one, Asker(broker, answer="answers/all") as two:
        assert one.ask("status")[1] == {"done": True}
        two.settle()
        assert two.messages == []


# QoS 2

@pytest.mark.parametrize("released", [False, True])
def test_sent_again_after_a_crash(new_broker, released):
    """It is carried out once: its identifier was stored before. [MQTT5-4.3.3-10]"""
    with new_broker(acl=ACL, users=USERS, config=CONFIG) as broker:
        props = {"response_topic": ANSWER + "owner-1"}
        payload = json.dumps({"filter": "t"}).encode()
        with Asker(broker, client_id="owner-1", clean=False, props=AWAY) as asker:
            asker.publish("t", b"1", qos=1, retain=True)
            asker.send(mqtt.publish(5, PREFIX + "delete-retained", payload, qos=2, packet_id=77, props=props))
            asker.expect(mqtt.PUBREC, 77)
            assert json.loads(asker.message().payload.splitlines()[0])["topic"] == "t"
            if released:
                asker.send(mqtt.ack(5, mqtt.PUBREL, 77))
                asker.expect(mqtt.PUBCOMP, 77)
            broker.crash()
        broker.start()
        with Asker(broker, client_id="owner-1", clean=False, props=AWAY) as asker:
            assert asker.connack.session_present
            asker.publish("t", b"2", qos=1, retain=True)
            mark = broker.mark()
            asker.send(mqtt.publish(5, PREFIX + "delete-retained", payload, qos=2, packet_id=77, dup=True, props=props))
            assert asker.expect(mqtt.PUBREC, 77).reason == 0
            asker.send(mqtt.ack(5, mqtt.PUBREL, 77))
            asker.expect(mqtt.PUBCOMP, 77)
            if released: # the identifier was free
                broker.wait_log("control-command", mark)
            asker.settle()
            left = [r["topic"] for r in rows(broker, "retained", "t")]
            assert left == ([] if released else ["t"])


def test_a_client_that_leaves(broker):
    """Its identifier is stored, so it will not ask again: what is to be changed is changed."""
    with Wire(broker, client_id="unwanted") as unwanted:
        asker = Asker(broker, client_id="leaver", clean=False, props=AWAY)
        props = {"response_topic": asker.answer_topic}
        asker.send(mqtt.publish(5, PREFIX + "kick", b'{"id":"unwanted"}', qos=2, packet_id=9, props=props))
        asker.kill()
        assert unwanted.expect_close().reason == 0x98


# how much

def test_many_at_once(broker):
    """Four run, twelve wait, and the others are refused; those that were taken are answered."""
    with Asker(broker) as asker:
        props = {"response_topic": asker.answer_topic}
        asker.send(b"".join(mqtt.publish(5, PREFIX + "clients", b"", qos=1, packet_id=100 + n,
                                         props={**props, "correlation_data": bytes([n])}) for n in range(40)))
        reasons = [asker.expect(mqtt.PUBACK, 100 + n).reason for n in range(40)]
        assert reasons[:16] == [0] * 16 and set(reasons) == {0, 0x97}, reasons
        ends = {}
        while len(ends) < 40:
            page = asker.message()
            ends[page.props["correlation_data"][0]] = json.loads(page.payload.splitlines()[-1])
        for number, reason in enumerate(reasons):
            assert ("done" in ends[number]) == (reason == 0), ends


def test_a_reader_that_does_not_read(new_broker):
    """Its answers wait for it; the broker's memory does not grow, and it answers others."""
    with new_broker(acl=ACL, users=USERS, config=CONFIG) as broker:
        with Wire(broker) as client:
            for number in range(1500):
                client.publish(f"many/{number}/{'x' * 200}", b"y" * 1000, retain=True)
            client.settle()
        with Asker(broker) as slow, Asker(broker) as other:
            for number in range(12):
                slow.send(mqtt.publish(5, PREFIX + "retained", b'{"filter":"many/#","payload":""}', qos=0,
                                       props={"response_topic": slow.answer_topic, "correlation_data": bytes([number])}))
            for _ in range(3): # as long as the others' answers would take
                lines, end = other.ask("retained", {"filter": "many/#", "payload": ""})
                assert (len(lines), end) == (1500, {"done": True})
            before = rows(broker, "status")[0]["memory_counted_bytes"]
            assert before < 5 << 20
            lines = []
            while lines.count(b'{"done":true}') < 12:
                lines += slow.message().payload.splitlines()
            assert len(lines) == 1501 * 12


def test_rights_that_end(new_broker):
    """An answer that is under way ends when its right does."""
    with new_broker(acl=ACL, users=USERS, config=CONFIG) as broker:
        with Wire(broker) as client:
            for number in range(4000):
                client.publish(f"many/{number}/{'x' * 200}", b"y" * 1000, retain=True)
            client.settle()
        with Asker(broker) as slow:
            props = {"response_topic": slow.answer_topic}
            slow.send(mqtt.publish(5, PREFIX + "retained", b'{"filter":"many/#","payload":""}', qos=0, props=props))
            page = slow.message()
            mark = broker.mark()
            broker.acl = {**ACL, "roles": {**ACL["roles"], "admin": ["allow all # $SYS/#", "allow subscribe $CONTROL/#"]}}
            broker.write()
            ctl(broker, "reload")
            broker.wait_log("publish-denied", mark, topic=PREFIX + "retained")
            slow.settle()
            lines = [line for p in [page, *slow.messages] for line in p.payload.splitlines()]
            assert len(lines) < 4000 and b'{"done":true}' not in lines


# answers that run on

def see(asker, client_id, number=b"7"):
    """The log says that this client connected."""
    while True:
        page = asker.message()
        if page.props["correlation_data"] == number and any(
                json.loads(line).get("client_id") == client_id for line in page.payload.splitlines()):
            return


def connect_and_see(broker, asker, *names):
    for name in names:
        Wire(broker, client_id=name).close()
        see(asker, name)


def test_stop(broker):
    with Asker(broker) as asker, Asker(broker) as other:
        assert asker.ask("stop") == ([], {"error": "no answer with this Correlation Data is under way"})
        assert asker.request("log", number=b"1") == 0 and asker.request("log", number=b"2") == 0
        assert other.request("log") == 0
        Wire(broker, client_id="stop-1").close()
        see(asker, "stop-1", b"1")
        see(asker, "stop-1", b"2")
        assert asker.request("stop", number=b"1") == 0
        while b'{"done":true}' not in (page := asker.message()).payload:
            pass
        assert page.props["correlation_data"] == b"1"
        connect_and_see(broker, other, "stop-2", "stop-3")
        see(asker, "stop-2", b"2")
        asker.settle()
        assert all(page.props["correlation_data"] == b"2" for page in asker.messages)


def test_stop_of_a_session_that_is_kept(broker):
    with Asker(broker, client_id="keeper", clean=False, props=AWAY) as asker:
        for _ in range(2):
            assert "under way" in asker.ask("stop", qos=2)[1]["error"]
        assert asker.ask("status", qos=2)[1] == {"done": True}


def test_unsubscribe_ends_it(broker):
    with Asker(broker) as asker, Asker(broker) as other:
        assert asker.request("log") == 0 and other.request("log") == 0
        connect_and_see(broker, other, "unsubscribe-1")
        see(asker, "unsubscribe-1")
        asker.unsubscribe(asker.answer_topic)
        connect_and_see(broker, other, "unsubscribe-2", "unsubscribe-3")
        asker.subscribe(asker.answer_topic)
        asker.messages.clear()
        connect_and_see(broker, other, "unsubscribe-4", "unsubscribe-5")
        asker.settle()
        assert asker.messages == []


def test_a_takeover_ends_it(broker):
    """The new connection did not ask."""
    first = Asker(broker, client_id="taken", clean=False, props=AWAY)
    assert first.request("log") == 0
    with Asker(broker, client_id="taken", clean=False, props=AWAY) as second, Asker(broker) as other:
        assert other.request("log") == 0
        connect_and_see(broker, other, "takeover-1", "takeover-2")
        second.settle()
        assert second.messages == []
    first.close()


def test_others_wait_for_their_turn(broker):
    with Asker(broker) as asker:
        for number in range(4):
            assert asker.request("log", {"match": "nothing has this in it"}, number=bytes([number])) == 0
        assert asker.request("status", number=b"9") == 0
        asker.settle()
        assert asker.messages == []
        assert asker.request("stop", number=b"\x02") == 0
        ends = [asker.message().props["correlation_data"] for _ in range(2)]
        assert ends == [b"\x02", b"9"]


def test_a_reload_ends_it(new_broker):
    with new_broker(acl=ACL, users=USERS, config=CONFIG) as broker, Asker(broker) as asker:
        assert asker.request("log") == 0
        connect_and_see(broker, asker, "reload-1")
        mark = broker.mark()
        broker.acl = {**ACL, "roles": {**ACL["roles"], "admin": ["allow all # $SYS/#", "allow subscribe $CONTROL/#"]}}
        broker.write()
        ctl(broker, "reload")
        broker.wait_log("publish-denied", mark, topic=PREFIX + "log")
        asker.settle()
        asker.messages.clear()
        Wire(broker, client_id="reload-2").close()
        assert rows(broker, "status")
        asker.settle()
        assert asker.messages == []


def test_payloads_of_a_trace_are_for_the_socket(broker):
    with Asker(broker) as asker:
        assert "error" in asker.ask("trace", {"id": "x", "payload": "", "for": "1s"})[1]


def test_the_broker_stops(new_broker):
    """While it answers: nothing is left behind (the sanitizer looks)."""
    with new_broker(acl=ACL, users=USERS, config=CONFIG) as broker:
        with Wire(broker) as client:
            for number in range(2000):
                client.publish(f"many/{number}/{'x' * 200}", b"y" * 1000, retain=True)
            client.settle()
        asker = Asker(broker)
        for number in range(8):
            asker.request("retained", {"filter": "many/#", "payload": ""}, number=bytes([number]))
        broker.stop()
        asker.close()


# real clients

def test_paho(broker):
    client = Paho(broker, user="owner")
    topic = ANSWER + "paho"
    client.client.subscribe(topic, 1)
    properties = client.properties("PUBLISH", ResponseTopic=topic, CorrelationData=b"abc")
    client.client.publish(PREFIX + "clients", b"", 2, properties=properties)
    answer = client.wait(lambda: client.messages and client.messages[-1].payload.endswith(b'{"done":true}\n')
                         and client.messages[-1], "an answer")
    assert answer.properties.CorrelationData == b"abc"
    assert any(json.loads(line).get("user") == "owner" for line in answer.payload.splitlines())
    client.client.disconnect()


def test_mosquitto_rr(broker):
    done = subprocess.run(["mosquitto_rr", *mosquitto_options(broker, 5, "owner", None, None, None), "-t", PREFIX + "status",
                           "-e", ANSWER + "rr", "-n", "-q", "1", "-W", "10"],
                          capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["version"]


# broker-ctl from another machine

def remote(broker, *words, user="owner", status=0):
    secret = broker.write_file(f"{user}.secret", broker.password(user) + "\n")
    host, port = broker.addresses[0]
    return run_ctl(broker, "-h", host, "-p", str(port), "--cafile", str(broker.pki.path("ca.crt")), "-u", user,
                   "--password-file", str(secret), *words, status=status)


def same_rows(one, other):
    """Without the asker's own, and without the time that passed between the two."""
    def cut(text):
        return [re.sub(r'"ends_in_s":\d+', '"ends_in_s":N', line) for line in text.splitlines() if "vakt-" not in line]
    return cut(one) == cut(other)


def test_broker_ctl_from_afar(broker):
    with Wire(broker, client_id="lamp") as lamp:
        lamp.publish("kept/1", b"\x00\xff", qos=1, retain=True)
        for words in (["--json", "clients"], ["retained", "kept/#", "--payload"], ["retained", "kept/1", "--raw"],
                      ["--json", "sessions"], ["set-aside"]):
            text = words[-1] != "--raw"
            here, there = ctl(broker, *words, text=text), remote(broker, *words) if text else None
            assert not text or same_rows(here.stdout, there.stdout), words
        mark = broker.mark()
        assert "disconnected" in remote(broker, "kick", "lamp").stdout
        broker.wait_log("control-command", mark, command="kick", asked_by="owner", client_id="lamp")
        assert lamp.expect_close().reason == 0x98
    said = remote(broker, "kick", "lamp", status=1).stderr
    assert said == ctl(broker, "kick", "lamp", status=1).stderr
    assert "kept/1" in remote(broker, "delete-retained", "kept/#", "--yes").stdout
    assert "has wildcards" in remote(broker, "delete-retained", "#", status=2).stderr
    assert remote(broker, "reload").stdout == ctl(broker, "reload").stdout
    assert remote(broker, "log", "--for", "1s").returncode == 0
    assert "control socket only" in remote(broker, "trace", "lamp", "--payload", status=1).stderr


def test_broker_ctl_that_may_not(broker):
    assert "kick" in remote(broker, "kick", "lamp", user="viewer", status=6).stderr
    assert "no rule whose filter begins with $CONTROL/vakt/" in remote(broker, "clients", user="viewer", status=6).stderr
    assert "do not let this user subscribe" in remote(broker, "status", user="deaf", status=6).stderr
    assert '"version"' in remote(broker, "--json", "status", user="viewer").stdout
    host, port = broker.addresses[0]
    assert "leave out -c" in run_ctl(broker, "-h", host, "-c", "broker.yaml", "status", status=2).stderr
    assert run_ctl(broker, "-h", host, "-p", str(free_port()), "status", status=3).stderr
    assert "certificate" in run_ctl(broker, "-h", host, "-p", str(port), "status", status=4).stderr
