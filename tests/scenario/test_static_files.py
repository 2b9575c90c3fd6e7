"""The files of the dashboard: what is served of a folder, with which headers, and that nothing else is reached."""

import contextlib
import gzip
import os
import re
import signal
import socket

import pytest
from broker_fixture import free_bind
from control import rows
from test_https import connect, get
from websocket import read_head
from wire import tls_context

SCRIPT = b"'" + b"x y z " * 60_000 + b"'\n"
PAGE = b'<!doctype html><script type="module" src="./app-0123456789.js"></script>\n'
FILES = {"index.html": PAGE, "app-0123456789.js": SCRIPT, "app-0123456789.js.gz": gzip.compress(SCRIPT, mtime=0),
         "style-deadbeef.css": b"b{}", "icon.svg": b"<svg/>", "plain-name.js": b"1", "notes.odt": b"left out",
         ".hidden.js": b"left out"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
          "form-action 'none'; frame-ancestors 'none'")


def make(new_broker, files=FILES, **more):
    https = {"bind": free_bind(), "protocol": "https", "serve": ["websocket", "health", "dashboard"], "hsts": "1d", **more}
    broker = new_broker(config={"listeners": [{"bind": free_bind()}, https], "control": {"socket": "control.sock"}})
    folder = broker.directory / "page"
    https.setdefault("dashboard", {"directory": "page"})
    broker.config["listeners"][1] = https
    broker.write()
    folder.mkdir(mode=0o755)
    (folder / "below").mkdir()
    (folder / "below" / "x.js").write_bytes(b"left out")
    for name, content in files.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)
    return broker


@pytest.fixture(scope="module")
def broker(new_broker):
    with make(new_broker) as broker:
        yield broker


def read_chunks(stream, body):
    whole = b""
    while True:
        while b"\r\n" not in body:
            body += stream.recv(65536)
        size, body = body.split(b"\r\n", 1)
        while len(body) < int(size, 16) + 2:
            body += stream.recv(65536)
        whole, body = whole + body[:int(size, 16)], body[int(size, 16) + 2:]
        if int(size, 16) == 0:
            return whole


def ask(broker, request):
    with contextlib.closing(connect(broker)) as stream:
        stream.sendall(request)
        status, fields, body = read_head(stream)
        if fields.get("transfer-encoding") == "chunked" and not request.startswith(b"HEAD"):
            body = read_chunks(stream, body)
        elif not request.startswith(b"HEAD"):
            while len(body) < int(fields.get("content-length", 0)):
                body += stream.recv(65536)
        return status, fields, body


def test_what_is_served(broker):
    for path, name, kind in (("/", "index.html", "text/html; charset=utf-8"), ("/index.html", "index.html", "text/html; charset=utf-8"),
                             ("/app-0123456789.js", "app-0123456789.js", "text/javascript; charset=utf-8"),
                             ("/style-deadbeef.css", "style-deadbeef.css", "text/css; charset=utf-8"),
                             ("/icon.svg", "icon.svg", "image/svg+xml")):
        status, fields, body = ask(broker, get(path))
        assert (status, body, fields["content-type"]) == (200, FILES[name], kind)
        assert fields["content-security-policy"] == POLICY
        assert fields["strict-transport-security"] == "max-age=86400"
        assert fields["x-content-type-options"] == "nosniff" and fields["referrer-policy"] == "no-referrer"
        assert fields["cross-origin-opener-policy"] == "same-origin"
        assert re.fullmatch('"[0-9a-f]{16}"', fields["etag"])
        named = "-0" in name or "-d" in name
        assert fields["cache-control"] == ("public, max-age=31536000, immutable" if named else "no-cache")
        assert ask(broker, get(path).replace(b"GET", b"HEAD", 1))[::2] == (200, b"")
    assert ask(broker, get("/health"))[0] == 200


def test_compressed_and_known(broker):
    plain = ask(broker, get("/app-0123456789.js"))[1]
    assert "content-encoding" not in plain and plain["vary"] == "Accept-Encoding"
    status, packed, body = ask(broker, get("/app-0123456789.js", "Accept-Encoding: br, gzip"))
    assert (status, packed["content-encoding"], gzip.decompress(body)) == (200, "gzip", SCRIPT)
    assert packed["etag"] != plain["etag"]
    assert "content-encoding" not in ask(broker, get("/", "Accept-Encoding: gzip"))[1]
    for lines, status in (([f"If-None-Match: {plain['etag']}"], 304), ([f'If-None-Match: "other", {plain["etag"]}'], 304),
                          (["If-None-Match: *"], 304), (['If-None-Match: "other"'], 200),
                          ([f"If-None-Match: {plain['etag']}", "Accept-Encoding: gzip"], 200),
                          ([f"If-None-Match: {packed['etag']}", "Accept-Encoding: gzip"], 304)):
        told, fields, body = ask(broker, get("/app-0123456789.js", *lines))
        assert told == status, lines
        assert fields["cache-control"].endswith("immutable") and "etag" in fields
        assert (body == b"") == (status == 304) and (status == 200 or "content-encoding" not in fields)


@pytest.mark.parametrize("path", ["/nothing", "/notes.odt", "/.hidden.js", "/below/x.js", "/below", "/app-0123456789.js.gz",
                                  "/../broker.yaml", "/%2e%2e/broker.yaml", "/..%2fbroker.yaml", "/./index.html", "//index.html",
                                  "/index.html/", "/INDEX.HTML", "/index.html%00", "/page/index.html"])
def test_nothing_else_is(broker, path):
    assert ask(broker, get(path))[0] in (400, 404)


def test_other_methods(broker):
    for method in "POST", "PUT", "DELETE", "OPTIONS":
        status, fields, _ = ask(broker, get("/", "Content-Length: 0").replace(b"GET", method.encode(), 1))
        assert status == 405 and fields["allow"] == "GET, HEAD"


def test_another_path(new_broker):
    with make(new_broker, dashboard={"directory": "page", "path": "/ui/"}, websocket={"paths": ["/ui/mqtt"]}) as broker:
        assert ask(broker, get("/ui/"))[2] == PAGE
        assert ask(broker, get("/ui/icon.svg"))[0] == 200
        for path in "/", "/ui", "/icon.svg", "/uiicon.svg":
            assert ask(broker, get(path))[0] == 404


def test_a_reload_shows_new_files(new_broker):
    with make(new_broker) as broker:
        (broker.directory / "page" / "index.html").write_bytes(b"new")
        assert ask(broker, get("/"))[2] == PAGE
        mark = broker.mark()
        os.kill(broker.process.pid, signal.SIGHUP)
        broker.wait_log("reloaded", mark)
        assert ask(broker, get("/"))[2] == b"new"


def connect_narrow(broker):
    """The kernel takes little of what is not read."""
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.connect(broker.addresses[1])
    return tls_context(broker.pki).wrap_socket(stream, server_hostname="localhost")


def test_a_reader_that_does_not_read(new_broker):
    """What it does not take stays in the table: a piece waits for it, and not the file."""
    big = {"index.html": PAGE, "big-0123456789.js": b"x" * 4_000_000}
    broker = make(new_broker, big)
    # The sanitizer would keep what was freed.
    broker.environment["ASAN_OPTIONS"] = broker.environment.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    with broker:
        before, readers = rows(broker, "status")[0]["memory_bytes"], []
        for _ in range(40):
            stream = connect_narrow(broker)
            stream.sendall(get("/big-0123456789.js"))
            readers.append(stream)
        for stream in readers:
            assert read_head(stream)[0] == 200
        status, _, _ = ask(broker, get("/"))
        assert status == 200
        after = rows(broker, "status")[0]["memory_bytes"]
        assert after < before + (24 << 20), after - before
        for stream in readers:
            stream.close()


def test_check_says_what_is_wrong(new_broker):
    for broken, words in ((lambda folder: folder.rename(folder.with_name("gone")), "there is no such folder, and the dashboard"),
                          (lambda folder: (folder / "index.html").unlink(), "there is no index.html"),
                          (lambda folder: (folder / "icon.svg").chmod(0o666), "icon.svg")):
        broker = make(new_broker)
        assert broker.command("--check").returncode == 0
        broken(broker.directory / "page")
        done = broker.command("--check")
        assert done.returncode != 0 and words in done.stdout + done.stderr, done
    for more, words in (({"serve": ["dashboard"]}, "add websocket to serve"),
                        ({"websocket": {"paths": ["/other"]}}, "connects to /mqtt, which is not among websocket.paths")):
        done = make(new_broker, **more).command("--check")
        assert done.returncode == 0 and words in done.stdout + done.stderr, done
