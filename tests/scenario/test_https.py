"""The HTTPS listener: what it serves, what it refuses and says about it, and the health of the broker. What is refused in
a request is a table in tests/unit/http."""

import contextlib
import json
import signal
import socket
import subprocess
import time

import mqtt
import pytest
from broker_fixture import free_bind
from websocket import read_head, upgrade_request
from wire import Wire, fresh_address, tls_context

HTTPS = 1


def listeners(**https):
    return [{"bind": free_bind()}, {"bind": free_bind(), "protocol": "https", "serve": ["websocket", "health"], **https}]


@pytest.fixture(scope="module")
def broker(new_broker):
    with new_broker(config={"listeners": listeners()}) as running:
        yield running


def connect(broker, source=None, **options):
    stream = socket.create_connection(broker.addresses[HTTPS], timeout=20, source_address=source and (source, 0))
    return tls_context(broker.pki, **options).wrap_socket(stream, server_hostname="localhost")


def read_answer(stream, head=False):
    status, fields, body = read_head(stream)
    wanted = 0 if head else int(fields.get("content-length", 0))
    while len(body) < wanted:
        body += stream.recv(65536)
    return status, fields, body


def ask(broker, request, **options):
    with contextlib.closing(connect(broker, **options)) as stream:
        stream.sendall(request)
        return read_answer(stream, request.startswith(b"HEAD"))


def get(path, *lines):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def curl(broker, *arguments):
    port = broker.addresses[HTTPS][1]
    return subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", str(broker.pki.path("ca.crt")), "--resolve",
                           f"localhost:{port}:127.0.0.1", *arguments], capture_output=True, text=True, check=False,
                          timeout=30)


# --- what is served ---

def test_health_by_curl(broker):
    port = broker.addresses[HTTPS][1]
    said = curl(broker, "-i", f"https://localhost:{port}/health")
    head, body = said.stdout.split("\n\n", 1)
    assert head.startswith("HTTP/1.1 200 OK")
    assert json.loads(body) == {"status": "ok"}
    for line in ("Content-Security-Policy: default-src 'none'", "X-Content-Type-Options: nosniff", "Cache-Control: no-store"):
        assert line in head
    for name in ("Server", "Strict-Transport-Security", "Access-Control-Allow-Origin"):
        assert f"\n{name.lower()}:" not in head.lower()


def test_requests_on_one_connection(broker):
    """One after the other, two at a time, and HEAD."""
    with contextlib.closing(connect(broker)) as stream:
        for _ in range(3):
            stream.sendall(get("/health"))
            assert read_answer(stream)[0] == 200
        stream.sendall(get("/health").replace(b"GET", b"HEAD"))
        status, fields, body = read_answer(stream, head=True)
        assert (status, fields["content-length"], body) == (200, "16", b"")
        stream.sendall(get("/health") + get("/health", "Connection: close"))
        data = b""
        while more := stream.recv(65536):
            data += more
        assert data.count(b"HTTP/1.1 200 OK") == 2 and data.count(b"Connection: close") == 1


def test_nothing_is_served_that_is_not_listed(new_broker):
    with new_broker(config={"listeners": listeners(serve=["health"], health={"path": "/up"}, hsts="1h")}) as broker:
        assert ask(broker, get("/up"))[0] == 200
        assert ask(broker, get("/up"))[1]["strict-transport-security"] == "max-age=3600"
        for path in ("/health", "/mqtt", "/", "/metrics", "/publish/x", "/up/", "/upx"):
            assert ask(broker, get(path))[0] == 404
        assert ask(broker, upgrade_request("localhost"))[0] == 404


def test_health_says_why_not(new_broker):
    """The connections are used up; the store is full."""
    config = {"listeners": listeners(), "limits": {"connections": 1, "queue_bytes": "64M"}}
    with new_broker(config=config) as broker:
        with Wire(broker):
            status, _, body = ask(broker, get("/health"))
            assert status == 503 and "limits.connections" in json.loads(body)["cause"]
        assert broker.wait_log("http-refused", status=503)["request"] == "GET /health"
    config = {"listeners": listeners(), "persistence": {"directory": "store", "max_size": "1M"},
              "limits": {"queue_messages": 10000, "max_packet_size": "128k"}}
    with new_broker(config=config) as broker:
        with Wire(broker, client_id="away", clean=False, props={"session_expiry_interval": 600}) as away:
            away.subscribe("full/#")
            away.send(mqtt.disconnect(5))
        with Wire(broker) as client:
            for n in range(1, 40):
                client.send(mqtt.publish(5, "full/x", b"x" * 50_000, qos=1, packet_id=n))
            broker.wait_log("store-full")
            time.sleep(0.3)  # the answer may be that old
            status, _, body = ask(broker, get("/health"))
            assert status == 503 and "store is full" in json.loads(body)["cause"]


def test_check_says_what_is_served(new_broker):
    """And what HSTS does to other programs of the host."""
    said = new_broker(config={"listeners": listeners(hsts="30d")}).command("--check")
    assert said.returncode == 0
    assert "over HTTPS: MQTT over WebSocket, health, without a login" in said.stdout + said.stderr
    assert "every port of this host name" in said.stderr


# --- what is refused ---

REFUSED = {
    "another path": (get("/x"), 404, "nothing is served"),
    "a page of / that there is not": (get("/"), 404, "nothing is served"),
    "another method": (get("/health").replace(b"GET", b"DELETE"), 405, "method"),
    "POST without a length": (get("/health").replace(b"GET", b"POST"), 411, "Content-Length"),
    "a body": (get("/health", "Content-Length: 3") + b"abc", 400, "no body"),
    "WebSocket without Upgrade": (get("/mqtt"), 426, "wss://"),
    "an older WebSocket": (upgrade_request("localhost", Sec_WebSocket_Version="8"), 426, "version 13"),
    "no subprotocol": (upgrade_request("localhost", Sec_WebSocket_Protocol=None), 400, "subprotocol"),
    "mqttv3.1 alone": (upgrade_request("localhost", Sec_WebSocket_Protocol="mqttv3.1"), 400, "3.1"),
    "a short key": (upgrade_request("localhost", Sec_WebSocket_Key="AAAA"), 400, "Key"),
    "a page of another origin": (upgrade_request("localhost", Origin="https://evil.example"), 403, "origin"),
    "bytes before the upgrade": (upgrade_request("localhost") + b"\x82\x80\0\0\0\0", 400, "before"),
    "HTTP/1.0": (get("/health").replace(b"1.1", b"1.0"), 505, "HTTP/1.1"),
    "a long target": (get("/" + "x" * 3000), 414, "2 kB"),
    "many fields": (get("/health", *["x: y"] * 70), 431, "64"),
    "a long field": (get("/health", "x: " + "y" * 9000), 431, "8 kB"),
    "bare line feeds": (b"GET /health HTTP/1.1\nHost: localhost\n\n", 400, "CR LF"),
    "no Host": (b"GET /health HTTP/1.1\r\n\r\n", 400, "Host"),
    "MQTT": (b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04lamp", 400, "wss://"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(broker, name):
    """The status, the cause in the body and in the log, and the end of the connection."""
    request, wanted, cause = REFUSED[name]
    mark = broker.mark()
    with contextlib.closing(connect(broker, source=fresh_address())) as stream:
        stream.sendall(request)
        status, fields, body = read_answer(stream)
        assert (status, json.loads(body)["status"]) == (wanted, wanted)
        assert cause in json.loads(body)["cause"] and "close" in fields["connection"]
        assert "server" not in fields
        with contextlib.suppress(ConnectionError):
            assert stream.recv(100) == b""
    broker.wait_log("http-refused", after=mark, status=wanted, cause=json.loads(body)["cause"])
    if wanted == 405:
        assert fields["allow"] == "GET, HEAD"
    if wanted == 426:
        assert (fields["sec-websocket-version"], fields["upgrade"]) == ("13", "websocket")


def test_origins(new_broker):
    listed = "https://app.example"
    with new_broker(config={"listeners": listeners(websocket={"origins": ["same", listed]})}) as broker:
        port = broker.addresses[HTTPS][1]
        for origin, status in ((None, 101), (f"https://localhost:{port}", 101), (listed, 101),
                               (f"http://localhost:{port}", 403), ("https://app.example.evil", 403), ("null", 403)):
            assert ask(broker, upgrade_request(f"localhost:{port}", Origin=origin))[0] == status


def test_alpn(broker):
    """http/1.1 or none; a client that wants something else alone is told, and the log says what to do."""
    with contextlib.closing(connect(broker, alpn=["h2", "http/1.1"])) as stream:
        assert stream.selected_alpn_protocol() == "http/1.1"
    with contextlib.closing(connect(broker)) as stream:
        assert stream.selected_alpn_protocol() is None
    for alpn in ("mqtt", "h2"):
        with pytest.raises(OSError, match="(?i)no.application.protocol"):
            connect(broker, alpn=[alpn])
        assert "wss://" in broker.wait_log("handshake-failed", offered=alpn)["cause"]


@pytest.mark.parametrize("listener", [0, 1], ids=["mqtt", "https"])
@pytest.mark.parametrize("what", ["http", "mqtt"])
def test_without_tls(broker, listener, what):
    """http://, ws:// and MQTT without TLS are closed without an answer, on both kinds of listener."""
    data = get("/mqtt") if what == "http" else mqtt.connect(5, "x")
    mark = broker.mark()
    with socket.create_connection(broker.addresses[listener], timeout=20) as stream:
        stream.sendall(data)
        with contextlib.suppress(ConnectionError):
            assert stream.recv(100) == b""
    cause = broker.wait_log("plaintext-refused", after=mark)["cause"]
    assert ("HTTP" if what == "http" else "MQTT CONNECT without TLS") in cause
    assert ("wss://" in cause) == (listener == HTTPS)


def test_http_to_the_listener_for_mqtt(broker):
    """Over TLS: the log names the remedy."""
    mark = broker.mark()
    stream = socket.create_connection(broker.addresses[0], timeout=20)
    with contextlib.closing(tls_context(broker.pki).wrap_socket(stream, server_hostname="localhost")) as tls:
        tls.sendall(upgrade_request("localhost"))
        with contextlib.suppress(ConnectionError):
            assert tls.recv(100) == b""
    broker.wait_log("connection-closed-before-connect", after=mark, cause=lambda text: "protocol: https" in text)


# --- bounds ---

def test_slow_requests(new_broker):
    """408 for half a request; nothing for a connection that says nothing; both within limits.connect_timeout."""
    with new_broker(config={"listeners": listeners(), "limits": {"connect_timeout": "1s"}}) as broker:
        begin = time.monotonic()
        with contextlib.closing(connect(broker)) as stream:
            stream.sendall(get("/health")[:10])
            assert read_answer(stream)[0] == 408
        assert time.monotonic() - begin < 3
        with contextlib.closing(connect(broker)) as stream:
            stream.sendall(get("/health"))
            assert read_answer(stream)[0] == 200
            stream.sendall(get("/health")[:10])
            assert read_answer(stream)[0] == 408


def send_until_it_waits(stream, piece, at_most):
    """How many pieces were sent, and what is left of the last one."""
    stream.settimeout(3)
    for count in range(at_most):
        try:
            stream.sendall(piece)
        except TimeoutError:
            return count
    return at_most


def test_answers_that_nobody_reads(new_broker):
    """Requests that are sent ahead of a client that reads nothing wait in the kernel; what the broker keeps is bounded,
    and others are served."""
    piece = b"".join(get("/health", "X-Padding: " + "x" * 1000) for _ in range(14))
    with new_broker(config={"listeners": listeners(), "workers": 1}) as broker, contextlib.ExitStack() as stack:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(broker.addresses[HTTPS])
        stream = stack.enter_context(contextlib.closing(
            tls_context(broker.pki).wrap_socket(raw, server_hostname="localhost")))
        assert send_until_it_waits(stream, piece, 5000) < 5000
        assert ask(broker, get("/health"))[0] == 200


def test_many_requests_at_once(broker):
    """All are answered, in order, however many come in one piece."""
    with contextlib.closing(connect(broker)) as stream:
        stream.sendall(b"".join(get("/health") if i % 3 else get("/health").replace(b"GET", b"HEAD")
                                for i in range(300)))
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 300:
            received += stream.recv(65536)
        assert received.count(b'{"status":"ok"}') == 200


def test_idle_connections_do_not_keep_clients_out(new_broker):
    """They have places among those without CONNACK, and lose them."""
    with new_broker(config={"listeners": listeners(), "limits": {"unauthenticated": 8}}) as broker:
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                stream = stack.enter_context(contextlib.closing(connect(broker)))
                stream.sendall(get("/health"))
                assert read_answer(stream)[0] == 200
            for listener in (0, HTTPS):
                with Wire(broker, listener=listener, source=fresh_address()) as client:
                    client.settle()


def test_connections_of_an_address_are_limited(new_broker):
    with new_broker(config={"listeners": listeners(), "limits": {"connections_per_address": 3}}) as broker:
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(contextlib.closing(connect(broker)))
            with pytest.raises(OSError):
                connect(broker)
        for _ in range(10):  # the closed ones count no more
            assert ask(broker, get("/health"), source=fresh_address())[0] == 200


def test_a_reload_closes_what_is_not_admitted_any_more(new_broker, pki):
    """A listener that is gone, and a certificate that was revoked."""
    ca = pki.authority("https-clients")
    pki.client("https-clients", "https-web", "web")
    crl = pki.revoke("https-clients", "https-none.crl")
    https = listeners(tls={"client_certificates": "optional", "client_ca": str(ca), "client_crl": str(crl)})
    with new_broker(config={"listeners": https}) as broker:
        with contextlib.closing(connect(broker, certificate="https-web")) as revoked, contextlib.closing(connect(broker)) as other:
            for stream in (revoked, other):
                stream.sendall(get("/health"))
                assert read_answer(stream)[0] == 200
            https[1]["tls"]["client_crl"] = str(pki.revoke("https-clients", "https-web.crl", "https-web"))
            broker.config["listeners"] = https
            broker.write()
            broker.process.signal(signal.SIGHUP)
            assert revoked.recv(100) == b""
            other.sendall(get("/health"))
            assert read_answer(other)[0] == 200
            broker.config["listeners"] = https[:1]
            broker.write()
            broker.process.signal(signal.SIGHUP)
            assert other.recv(100) == b""


def test_stop_with_connections_that_wait(new_broker):
    with new_broker(config={"listeners": listeners()}) as broker:
        with contextlib.closing(connect(broker)) as idle, contextlib.closing(connect(broker)) as half:
            idle.sendall(get("/health"))
            assert read_answer(idle)[0] == 200
            half.sendall(get("/health")[:10])
            begin = time.monotonic()
            broker.stop()
            assert time.monotonic() - begin < 10
            assert idle.recv(100) == b""
