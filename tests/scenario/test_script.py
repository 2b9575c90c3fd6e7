"""Publishing and reading by HTTPS: what a script can do with curl, under the same login, rules and limits as a client of MQTT."""

import base64
import errno
import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import failing_disk
import pytest
from broker_fixture import free_port
from control import ctl, rows
from process import TIMEOUT_S
from wire import Wire, tls_context

RULES = {
    "roles": {"house": ["deny publish home/locked", "deny publish home/own/%c", "allow publish dev/%c/state", "allow all home/#"],
              "reader": ["allow subscribe home/#"]},
    "users": {"anna": {"roles": ["house"]}}}

CONTROL = {"control": {"socket": "control.sock"}}


def https(broker, port, **sections):
    broker.config["listeners"].append({"bind": f"127.0.0.1:{port}", "protocol": "https", "serve": ["publish", "health"], **sections})
    broker.write()
    broker.https_port = port
    return broker


@pytest.fixture(scope="module")
def broker(new_broker):
    broker = https(new_broker(acl=RULES, users={"anna": ["house"], "bo": ["reader"]}), free_port())
    with broker:
        yield broker


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


def curl(broker, path, *options, user="anna", password=None, body=None, certificate=None):
    """The real curl; the answer to one request."""
    command = ["curl", "--silent", "--show-error", "--include", "--http1.1", "--path-as-is", "--max-time", "60",
               "--cacert", str(broker.pki.path("ca.crt")), *options]
    if user is not None:
        command += ["--user", f"{user}:{broker.password(user) if password is None else password}"]
    if certificate is not None:
        command += ["--cert", str(broker.pki.path(f"{certificate}.crt")), "--key", str(broker.pki.path(f"{certificate}.key"))]
    if body is not None:
        command += ["--data-binary", "@-", "-H", "Expect:"]
    done = subprocess.run([*command, f"https://localhost:{broker.https_port}{path}"], input=body, capture_output=True, check=False,
                          timeout=90)
    assert done.returncode == 0, done.stderr
    head, _, rest = done.stdout.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return Answer(int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), rest)


def publish(broker, topic, body, *options, query="", **login):
    return curl(broker, f"/publish/{topic}{query}", *options, body=body, **login)


class Events:
    """A reader of /events, which reads as much as the test wants."""

    def __init__(self, broker, filter_, user="anna", receive_buffer=None):
        plain = socket.socket()
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(30)
        plain.connect(("127.0.0.1", broker.https_port))
        context = tls_context(broker.pki)
        context.set_alpn_protocols(["http/1.1"])
        self.stream = context.wrap_socket(plain, server_hostname="localhost")
        login = base64.b64encode(f"{user}:{broker.password(user)}".encode()).decode()
        self.stream.sendall(f"GET /events?filter={urllib.parse.quote(filter_, safe='')} HTTP/1.1\r\nHost: localhost:{broker.https_port}\r\n"
                            f"Authorization: Basic {login}\r\n\r\n".encode())
        self.file = self.stream.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline().strip()):
            name, value = line.decode().split(": ", 1)
            self.headers[name.lower()] = value
        self.text = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def chunk(self):
        size = int(self.file.readline(), 16)
        data = self.file.read(size)
        assert self.file.read(2) == b"\r\n"
        return data

    def event(self):
        """The next message; None at the end of the stream."""
        while True:
            block, found, rest = self.text.partition(b"\n\n")
            if not found:
                more = self.chunk()
                if not more:
                    return None
                self.text += more
                continue
            self.text = rest
            if block.startswith(b"data: "):
                assert b"\n" not in block
                return json.loads(block[6:])


# publishing

@pytest.mark.parametrize("qos", [None, 0, 1, 2])
@pytest.mark.parametrize("version", [4, 5])
def test_what_is_posted_is_published(broker, qos, version):
    with Wire(broker, version) as sub:
        sub.subscribe("home/#", qos=2)
        answer = publish(broker, "home/living%20room/l%C3%A4mp%2F1", b"on\x00", query="" if qos is None else f"?qos={qos}&retain=false")
        assert answer.status == 200 and answer.json["reason"] == 0 and answer.json["text"] == "Success"
        message = sub.message()
        assert (message.topic, message.payload, message.qos, message.retain) == ("home/living room/lämp/1", b"on\x00", qos or 0, False)
    assert publish(broker, "home/nobody-listens", b"x", query="?qos=1").json["reason"] == 0x10


def test_a_retained_message_is_written_read_and_deleted(broker):
    assert curl(broker, "/retained/home/kept").status == 404
    assert publish(broker, "home/kept", "äöü".encode(), query="?retain=true&qos=1").status == 200
    answer = curl(broker, "/retained/home/kept")
    assert (answer.status, answer.body.decode()) == (200, "äöü")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8" and answer.headers["x-content-type-options"] == "nosniff"
    assert curl(broker, "/retained/home/kept", "--head").status == 200
    assert publish(broker, "home/kept", b"\xff\x00", query="?retain=true").status == 200
    answer = curl(broker, "/retained/home/kept")
    assert (answer.body, answer.headers["content-type"]) == (b"\xff\x00", "application/octet-stream")
    assert publish(broker, "home/kept", b"", query="?retain=true&qos=2").status == 200
    assert curl(broker, "/retained/home/kept").status == 404


@pytest.mark.parametrize(("path", "options", "status", "cause"), [
    ("/publish", [], 404, "a topic belongs"),
    ("/publish/", [], 404, "a topic belongs"),
    ("/publish/home/%zz", [], 400, "percent sign"),
    ("/publish/home/%2", [], 400, "percent sign"),
    ("/publish/home/%2523", [], 200, None),  # decoded once: home/%23, which has no wildcard
    ("/publish/home/%23", [], 400, "no topic name"),
    ("/publish/home/+/x", [], 400, "no topic name"),
    ("/publish/home/%00", [], 400, "no topic name"),
    ("/publish/home/%0a", [], 400, "no topic name"),
    ("/publish/home/%ff", [], 400, "no topic name"),
    ("/publish/home/a?qos=3", [], 400, "qos is 0, 1 or 2"),
    ("/publish/home/a?qos=01", [], 400, "qos is 0, 1 or 2"),
    ("/publish/home/a?retain=1", [], 400, "retain is true or false"),
    ("/publish/home/../other", [], 200, None),  # a topic and no path: nothing is resolved
    ("/publish/$SYS/x", [], 403, "guard"),
    ("/publish/home/locked", [], 403, "deny publish home/locked"),
    ("/publish/home/locked?qos=1", [], 403, "deny publish home/locked"),
    ("/publish/home/locked?qos=2", [], 403, "deny publish home/locked"),
    ("/publish/other", [], 403, "no rule allows it"),
])
def test_topics_and_rules(broker, path, options, status, cause):
    answer = curl(broker, path, *options, body=b"x")
    assert answer.status == status, answer.body
    assert cause is None or cause in answer.json["cause"]


def test_methods(broker):
    for path, method, allow in (("/publish/home/a", "GET", "post"), ("/retained/home/a", "POST", "get, head"),
                                ("/events", "POST", "get, head")):
        answer = curl(broker, path, "-X", method, body=b"" if method == "POST" else None)
        assert answer.status in (405, 413) and (answer.status == 413 or answer.headers["allow"] == allow)


def test_a_request_has_no_client_id(broker):
    """An allow rule with %c does not match, a deny rule matches as if + stood there."""
    for name in ("", "http", "+", "x"):
        assert publish(broker, f"dev/{name}/state".replace("//", "/"), b"x").status in (400, 403)
    assert publish(broker, "home/own/anything", b"x", query="?qos=1").status == 403
    assert publish(broker, "home/own/any/deeper", b"x", query="?qos=1").status == 200


def test_denials_are_logged_as_those_of_clients(broker):
    for query in ("", "?qos=1"):
        mark = broker.mark()
        assert publish(broker, "home/locked", b"x", query=query, user="bo").status == 403
        assert broker.wait_log("publish-denied", mark)["user"] == "bo"


# logins

def test_logins(broker):
    assert publish(broker, "home/a", b"x", password="wrong").status == 401
    answer = publish(broker, "home/a", b"x", user=None)
    assert answer.status == 401 and answer.headers["www-authenticate"].startswith("basic realm=")
    assert "set-cookie" not in answer.headers
    assert publish(broker, "home/a", b"x", user="bo").status == 403


def test_a_certificate_logs_in(new_broker, pki):
    pki.client("script-clients", "script-anna", "anna")
    broker = https(new_broker(config={"tls": {"client_certificates": "optional", "client_ca": str(pki.path("script-clients.crt"))},
                                      "authentication": {"certificate_user": "cn"}}), free_port())
    with broker:
        assert publish(broker, "home/a", b"x", user=None, certificate="script-anna").status == 200
        assert publish(broker, "home/a", b"x", user=None).status == 401


# pages in a browser

@pytest.mark.parametrize(("headers", "status"), [
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({"Sec-Fetch-Site": "same-origin"}, 200),
    ({"Origin": "SAME", "Sec-Fetch-Site": "same-origin"}, 200),
])
def test_pages_of_others_may_not(broker, headers, status):
    options = []
    for name, value in headers.items():
        options += ["-H", f"{name}: {value}".replace("SAME", f"https://localhost:{broker.https_port}")]
    for path, body in (("/publish/home/browser", b"x"), ("/retained/home/browser", None), ("/events?filter=other", None)):
        answer = curl(broker, path, *options, body=body)
        assert (answer.status == 403 and "evil" not in answer.headers.get("access-control-allow-origin", "")) == (
            status == 403 or path.startswith("/events"))
    if status == 403:  # before the login: nobody learns whether a password is right
        assert curl(broker, "/publish/home/browser", *options, body=b"x", password="wrong").status == 403


def test_a_listed_origin_may_read_the_answer(new_broker):
    broker = https(new_broker(), free_port(), publish={"origins": ["same", "https://home.example"]})
    with broker:
        answer = publish(broker, "a", b"x", "-H", "Origin: https://home.example", "-H", "Sec-Fetch-Site: cross-site")
        assert answer.status == 200 and answer.headers["access-control-allow-origin"] == "https://home.example"
        assert answer.headers["vary"] == "origin"
        answer = publish(broker, "a", b"x", "-H", f"Origin: https://localhost:{broker.https_port}")
        assert answer.status == 200 and "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("listed", [False, True], ids=["unlisted", "listed"])
def test_a_preflight_is_refused(new_broker, listed):
    """A browser asks with OPTIONS before it sends what a form could not: it gets no permission, and no login is asked for."""
    origins = ["same", "https://home.example"] if listed else ["same"]
    with https(new_broker(), free_port(), publish={"origins": origins}) as broker:
        for path in ("/publish/a", "/retained/a", "/events"):
            answer = curl(broker, path, "-X", "OPTIONS", "-H", "Origin: https://home.example", "-H", "Sec-Fetch-Site: cross-site",
                          "-H", "Access-Control-Request-Method: POST", "-H", "Access-Control-Request-Headers: authorization", user=None)
            assert answer.status == 405
            assert not any(name.startswith("access-control") for name in answer.headers)


# other peers

def test_python_by_certificate_and_by_password(new_broker, pki):
    """urllib over TLS, as a script in Python does it."""
    pki.client("script-clients", "script-anna", "anna")
    broker = https(new_broker(config={"tls": {"client_certificates": "optional", "client_ca": str(pki.path("script-clients.crt"))},
                                      "authentication": {"certificate_user": "cn"}}, users={"anna": ["all"], "bo": ["all"]}), free_port())

    def ask(path, certificate=None, body=None, **headers):
        request = urllib.request.Request(f"https://localhost:{broker.https_port}{path}", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30, context=tls_context(broker.pki, certificate=certificate)) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    basic = "Basic " + base64.b64encode(f"bo:{broker.password('bo')}".encode()).decode()
    with broker, Wire(broker) as sub:
        sub.subscribe("#")
        assert ask("/publish/a?qos=1&retain=true", "script-anna", b"by certificate")[0] == 200
        assert sub.message().payload == b"by certificate"
        assert ask("/retained/a", "script-anna") == (200, b"by certificate")
        assert ask("/publish/a?qos=2", body=b"by password", Authorization=basic)[0] == 200
        assert sub.message().payload == b"by password"
        assert ask("/publish/a", body=b"x")[0] == 401
        # A certificate decides alone: the password of somebody else is no way around it.
        assert ask("/publish/a", "script-anna", b"x", Authorization=basic)[0] == 401
        assert ask("/nothing", "script-anna")[0] == 404


@pytest.mark.parametrize(("options", "status"), [
    (["-H", "Transfer-Encoding: chunked"], 411),
    (["-H", "Host:"], 400),
    (["-X", "PATCH"], 405),
    (["-X", "BREW"], 400),
    (["-H", "X: " + "y" * 9000], 431),
    (["-H", "Content-Length: 99999999999"], 413),
    (["-H", "Content-Length: -1"], 400),
    (["--request-target", "publish/home/a"], 400),
    (["--request-target", "/publish/home/a#x"], 400),
    (["--request-target", "/publish/home/" + "x" * 3000], 414),
    (["--request-target", "/publish/home/a b"], 400),
    (["--request-target", "/publish/home/\u00e4"], 400),
    (["-H", "Authorization: Basic !!!!"], 401),
    (["-H", "Authorization: Basic YW5uYQ=="], 401),  # anna, without a colon
    (["-H", "Authorization: Digest username=anna"], 401),
    (["-H", "Authorization: Basic YTpi", "-H", "Authorization: Basic YTpi"], 401),
    (["-H", "Expect: something-else"], 417),
])
def test_curl_with_bad_input(broker, options, status):
    user = None if any("Authorization" in option for option in options) else "anna"
    assert publish(broker, "home/a", b"x", *options, user=user).status == status
    assert publish(broker, "home/a", b"x").status == 200


# events

def test_events(broker):
    with Events(broker, "home/#") as events, Wire(broker) as client:
        assert events.status == 200 and events.headers["content-type"] == "text/event-stream"
        for qos, payload in ((0, b"a\nb"), (1, "ü".encode()), (2, b"\xff")):
            client.publish("home/événement", payload, qos=qos)
        got = [events.event() for _ in range(3)]
        assert [(event["topic"], event["qos"], event["retain"]) for event in got] == [("home/événement", qos, False) for qos in (0, 1, 2)]
        assert [event.get("payload") for event in got] == ["a\nb", "ü", None]
        assert base64.b64decode(got[2]["payload_base64"]) == b"\xff"
        assert abs(time.time() - time.mktime(time.strptime(got[0]["time"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 120


def test_events_begin_with_what_is_retained(broker):
    assert publish(broker, "home/first", b"1", query="?retain=true&qos=1").status == 200
    with Events(broker, "home/first", user="bo") as events:
        assert events.event()["retain"] is True
        publish(broker, "home/first", b"2", query="?retain=true&qos=1")
        assert events.event()["payload"] == "2"
    publish(broker, "home/first", b"", query="?retain=true&qos=1")


@pytest.mark.parametrize(("query", "status"), [("", 400), ("?filter=", 400), ("?filter=a%23", 400), ("?filter=%zz", 400),
                                               ("?filter=other/%23", 403)])
def test_filters_that_are_refused(broker, query, status):
    assert curl(broker, f"/events{query}").status == status


def test_events_end_when_the_user_is_locked_or_the_session_is_kicked(new_broker):
    broker = https(new_broker(users={"anna": ["all"], "bo": ["all"]}), free_port())
    with broker, Events(broker, "a") as locked, Events(broker, "a", user="bo") as stays:
        broker.passwd("lock", "anna")
        with pytest.raises((OSError, ValueError)):
            while locked.event() is not None:
                pass
            raise OSError
        with Wire(broker, user="bo") as client:
            client.publish("a", b"still", qos=1)
        assert stays.event()["payload"] == "still"


def read_until_last(events, seen):
    while (event := events.event())["topic"] != "slow/last":
        seen[event["qos"]].append(int(event["payload"][:6]))


def wait_for(seen, count):
    deadline = time.monotonic() + TIMEOUT_S
    while len(seen) < count:
        assert time.monotonic() < deadline, seen
        time.sleep(0.001)


def test_a_slow_reader_loses_what_does_not_fit(new_broker):
    """QoS 0 goes first; of QoS 1 as much waits as queue_messages says; and others lose nothing."""
    broker = https(new_broker(config={"limits": {"queue_messages": 50}}), free_port())
    of_slow, of_quick = {0: [], 1: []}, {0: [], 1: []}
    with broker, Events(broker, "slow/#", receive_buffer=4096) as slow, Events(broker, "slow/#") as quick:
        reader = threading.Thread(target=read_until_last, args=(quick, of_quick))
        reader.start()
        with Wire(broker) as client:
            for number in range(400):
                wait_for(of_quick[1], number - 20)  # quick is who keeps up
                for qos in (0, 1):
                    client.publish(f"slow/{qos}", (f"{number:06}" + "x" * 20000).encode(), qos=qos)
            client.publish("slow/last", b"", qos=1)
            reader.join(60)
            assert not reader.is_alive()
            reader, deadline = threading.Thread(target=read_until_last, args=(slow, of_slow)), time.monotonic() + 60
            reader.start()
            while reader.is_alive() and time.monotonic() < deadline:
                client.publish("slow/last", b"", qos=1)  # the queue may be full, and lose it
                reader.join(0.1)
            assert not reader.is_alive()
        assert of_quick[1] == list(range(400))
        assert of_slow[1] == sorted(of_slow[1]) and 50 <= len(of_slow[1]) < 400
        assert len(of_slow[0]) < len(of_slow[1])


# limits

def test_a_body_that_is_too_large(new_broker):
    broker = https(new_broker(config={"limits": {"max_packet_size": 4096, "max_connect_size": 4096}}), free_port())
    with broker:
        assert publish(broker, "a", b"x" * 4000).status == 200
        for size in (4096, 5000, 100000):
            assert publish(broker, "a", b"x" * size, query="?qos=1").status == 413
        assert publish(broker, "a", b"x").status == 200


def test_guesses_are_delayed(new_broker):
    broker = https(new_broker(), free_port())
    with broker:
        for number in range(10):
            assert publish(broker, "a", b"x", password=f"guess {number}").status == 401
        broker.wait_log("logins-delayed")


def test_nothing_is_served_that_is_not_listed(new_broker):
    broker = new_broker()
    broker.config["listeners"].append({"bind": f"127.0.0.1:{free_port()}", "protocol": "https", "serve": ["health"]})
    broker.https_port = int(broker.config["listeners"][-1]["bind"].rpartition(":")[2])
    broker.write()
    with broker:
        for path in ("/retained/a", "/events?filter=a"):
            assert curl(broker, path).status == 404


def test_a_full_store_is_503_after_the_deadline(new_broker):
    """What must be stored is not acknowledged; what needs no store is."""
    broker, disk = failing_disk.new_broker_and_disk(new_broker, {"persistence": {"directory": "store"},
                                                                 "limits": {"connect_timeout": "1s"}})
    https(broker, free_port())
    with failing_disk.running(broker, disk):
        Wire(broker, client_id="kept", clean=False, props={"session_expiry_interval": 600}).subscribe("full/#", qos=1)
        disk.begin("write", errno.ENOSPC)
        answer = publish(broker, "full/x", b"x" * 5000, query="?qos=1")
        assert answer.status == 503 and "limits.connect_timeout" in answer.json["cause"]
        assert publish(broker, "live", b"x", query="?qos=1").status == 200
        disk.heal()
        deadline = time.monotonic() + 60
        while publish(broker, "full/x", b"y", query="?qos=1").status != 200:
            assert time.monotonic() < deadline


def test_message_rate_holds_over_all_requests(new_broker):
    """Three seconds' worth at once, then as many as come in; who would have to wait for too long is told so. Another user is not
    concerned, and a refusal costs nothing."""
    limits = {"message_rate": 2, "connect_timeout": "1s"}
    broker = https(new_broker(config={"limits": limits, "workers": 2}, users={"anna": ["all"], "bo": ["all"]}), free_port())
    with broker:
        answers = [publish(broker, "a", b"x") for _ in range(6)]
        assert [answer.status for answer in answers] == [200] * 6
        begun = time.monotonic()
        crowd = [threading.Thread(target=lambda: answers.append(publish(broker, "a", b"x"))) for _ in range(16)]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()
        refused = [answer for answer in answers if answer.status != 200]
        assert {answer.status for answer in refused} == {429} and len(refused) >= 4
        assert all(1 <= int(answer.headers["retry-after"]) <= 3 and "limits.message_rate" in answer.json["cause"] for answer in refused)
        assert len(answers) - len(refused) <= 6 + 1 + 2 * (time.monotonic() - begun) + 2
        assert publish(broker, "a", b"x", user="bo").status == 200
        while publish(broker, "a", b"x").status == 429:
            pass


def test_the_user_pays_for_the_memory_of_a_request(new_broker):
    """broker-ctl usage: what is under way is the user's, and the address has nothing left but the connection before its login."""
    broker = https(new_broker(config=CONTROL, users={"anna": ["all"], "bo": ["all"]}), free_port())
    with broker, Events(broker, "a") as events:
        of = {(row["kind"], row["name"]): row for row in rows(broker, "usage") if "name" in row}
        assert of[("user", "anna")]["connections"] == 2, of  # the request, and its client inside
        assert not any(kind != "user" and row["connections"] for (kind, _), row in of.items()), of
        publish(broker, "a", b"x", user="bo")
        assert events.event()["payload"] == "x"


def test_events_end_when_their_client_is_kicked(new_broker):
    """By its client id, which broker-ctl lists."""
    broker = https(new_broker(config={"workers": 2, **CONTROL}, users={"anna": ["all"], "bo": ["all"]}), free_port())
    with broker, Events(broker, "a") as kicked, Events(broker, "a", user="bo") as stays:
        found = {row["user"]: row["client_id"] for row in rows(broker, "clients")}
        assert found["anna"].startswith("http/")
        ctl(broker, "kick", found["anna"])
        assert kicked.event() is None
        assert publish(broker, "a", b"still").status == 200
        assert stays.event()["payload"] == "still"
        assert [row["user"] for row in rows(broker, "clients")] == ["bo"]
        with Events(broker, "a") as again:
            assert again.status == 200
