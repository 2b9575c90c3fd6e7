"""broker-pub, broker-sub and broker-rr against Vakt, and against Debian's mosquitto."""

import getpass
import json
import os
import pty
import signal
import subprocess

import pytest
from broker_fixture import free_bind, free_port
from private_pki import PrivatePki
from process import TIMEOUT_S, LineProcess
from pubsub import (CANNOT_CONNECT, LOGIN_REFUSED, LOST, NOT_AUTHORIZED, REFUSED, TIMED_OUT, UNTRUSTED, USAGE, Clients,
                    lines_of, program)
from test_bridge import MOSQUITTO
from wire import Wire

ACL = {"roles": {"all": ["allow all #"], "few": ["allow all may/#"]}}
VERSIONS = ["3.1.1", "5"]
SESSION = {"session_expiry_interval": 600}


@pytest.fixture(scope="module")
def broker(new_broker):
    b = new_broker(acl=ACL, users={"anna": ["all"], "bert": ["few"]},
                   config={"persistence": {"directory": "store"}, "limits": {"max_packet_size": "4M"}})
    b.config["listeners"].append({"bind": f"unix:{b.directory / 'broker.sock'}"})
    b.config["listeners"].append({"bind": free_bind(), "protocol": "https", "serve": ["websocket"],
                                  "websocket": {"paths": ["/mqtt", "/other"]}})
    b.write()
    with b:
        yield b


def clients_of(broker, directory, user="anna", *more):
    password = directory / f"{user}.password"
    password.write_text(broker.password(user) + "\n")
    password.chmod(0o600)
    return Clients(directory, "-h", "localhost", "-p", broker.port, "--cafile", broker.pki.path("ca.crt"), "-u", user,
                   "--password-file", password, *more)


class Mosquitto:
    """Debian's mosquitto, with the same certificates and without users."""

    def __init__(self, directory, pki, protocol="mqtt", *settings, port=None):
        self.port = port or free_port()
        (directory / "mosquitto.conf").write_text("\n".join([
            f"listener {self.port} 127.0.0.1", f"protocol {protocol}", "allow_anonymous true", "log_type all",
            f"user {getpass.getuser()}",
            f"certfile {pki.path('server-ec.crt')}", f"keyfile {pki.path('server-ec.key')}", *settings,
            # It does not start with a listener for WebSocket alone.
            f"listener {free_port()} 127.0.0.1", ""]))
        self.process = LineProcess([MOSQUITTO, "-c", str(directory / "mosquitto.conf")], stdin=subprocess.DEVNULL)
        self.process.wait_line("running")


def port_of_websocket(broker):
    return broker.config["listeners"][-1]["bind"].rsplit(":", 1)[1]


@pytest.fixture(params=["vakt", "vakt-unix", "vakt-ws", "mosquitto", "mosquitto-ws"])
def server(request, broker, pki, tmp_path):
    """The clients of each server and way."""
    websocket = ["--ws"] if request.param.endswith("-ws") else []
    if request.param.startswith("mosquitto"):
        m = Mosquitto(tmp_path, pki, "websockets" if websocket else "mqtt")
        yield Clients(tmp_path, "-h", "127.0.0.1", "-p", m.port, "--cafile", pki.path("ca.crt"), *websocket)
        m.process.kill()
    elif websocket:
        yield clients_of(broker, tmp_path, "anna", "-p", port_of_websocket(broker), *websocket)
    elif request.param == "vakt":
        yield clients_of(broker, tmp_path)
    else:
        c = clients_of(broker, tmp_path)
        c.login = ["--unix", str(broker.directory / "broker.sock"), *c.login[6:]]
        yield c


@pytest.fixture
def anna(broker, tmp_path):
    return clients_of(broker, tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_qos_on_every_way(server, topic, version):
    sub = server.sub("-V", version, "-t", f"{topic}/#", "-q", "2", "-v", "-C", "7", "-F", "%t %q %p")
    for qos in "012":
        server.pub("-V", version, "-t", f"{topic}/{qos}", "-q", qos, "-m", f"text {qos}")
    server.pub("-V", version, "-t", f"{topic}/lines", "-q", "2", "-l", stdin=b"one\n\nthree")
    (server.home / "file").write_bytes(b"from a file")
    server.pub("-V", version, "-t", f"{topic}/file", "-q", "1", "-f", "file")
    assert lines_of(sub) == [f"{topic}/0 0 text 0", f"{topic}/1 1 text 1", f"{topic}/2 2 text 2", f"{topic}/lines 2 one",
                             f"{topic}/lines 2 ", f"{topic}/lines 2 three", f"{topic}/file 1 from a file"]


@pytest.mark.parametrize("version", VERSIONS)
def test_large_payloads(request, server, topic, version):
    # Mosquitto needs half a minute for each megabyte over WebSocket.
    payload = os.urandom(100_000 if "mosquitto-ws" in request.node.name else 3_000_000)
    server.pub("-V", version, "-t", topic, "-q", "1", "-r", "-s", stdin=payload)
    assert server.run("sub", "-V", version, "-t", topic, "-q", "1", "-C", "1", "--output", "raw") == payload
    server.pub("-V", version, "-t", topic, "-q", "1", "-r", "-n")
    assert server.run("sub", "-V", version, "-t", topic, "-W", "1") == b""


@pytest.mark.parametrize("version", VERSIONS)
def test_request_and_response(server, topic, version):
    asked = server.sub("-V", version, "-t", topic, "-C", "1", "-F", "%R=%p")
    rr = server.start("rr", "-V", version, "-t", topic, "-e", f"{topic}/answer", "-m", "how?", "-q", "1")
    want = f"{topic}/answer=how?" if version == "5" else "=how?"
    assert lines_of(asked) == [want]
    # In 5.0 the answer has the Correlation Data of the question, or none.
    if version == "5":
        server.pub("-t", f"{topic}/answer", "-D", "publish", "correlation-data", "another's", "-m", "not this", "-q", "1")
    server.pub("-V", version, "-t", f"{topic}/answer", "-m", "so", "-q", "1")
    assert lines_of(rr) == ["so"]


def test_no_answer(anna, topic):
    said = anna.refuse(TIMED_OUT, "rr", "-t", topic, "-m", "anybody?", "-W", "1", "-i", "asks", "-q", "1")
    assert f"nobody is subscribed to '{topic}'" in said
    assert "no answer on 'response/asks' within the time of --wait" in said


def test_retained(anna, topic):
    for name in ("a", "b"):
        anna.pub("-t", f"{topic}/{name}", "-m", name, "-r", "-q", "1")
    assert sorted(anna.run("sub", "-t", f"{topic}/#", "-C", "2", "-F", "%r%p").split()) == [b"1a", b"1b"]
    assert anna.run("sub", "-t", f"{topic}/#", "--retain-handling", "2", "-W", "1") == b""
    assert anna.run("sub", "-t", f"{topic}/#", "-R", "-W", "1") == b""
    assert anna.run("sub", "-t", f"{topic}/#", "-T", f"{topic}/a", "-C", "1") == b"b\n"
    assert anna.run("sub", "-t", f"{topic}/#", "-T", f"{topic}/b", "--remove-retained", "-W", "1") == b"a\n"
    only = anna.sub("-t", f"{topic}/#", "--retained-only")
    anna.pub("-t", f"{topic}/live", "-m", "live", "-q", "1")
    assert lines_of(only) == ["b"]


def test_will_and_properties(anna, topic):
    sub = anna.sub("-t", topic, "-C", "2", "--output", "json")
    dies = anna.start("sub", "-d", "-t", "nothing", "--will-topic", topic, "--will-payload", "gone", "--will-qos", "1",
                      "-D", "will", "content-type", "text/plain")
    dies.wait_line("subscribed")
    dies.kill()
    anna.pub("-t", topic, "-m", 'a "quoted"\ttab', "-q", "1", "-D", "publish", "user-property", "k", "v", "-D", "publish",
             "message-expiry-interval", "60", "-D", "publish", "response-topic", "answers")
    will, message = map(json.loads, lines_of(sub))
    assert (will["payload"], will["content_type"]) == ("gone", "text/plain")
    assert (message["payload"], message["user_properties"]) == ('a "quoted"\ttab', [["k", "v"]])
    assert message["message_expiry"] in (59, 60) and message["response_topic"] == "answers"
    assert message["time"].endswith("+0000") and message["retain"] is False and message["qos"] == 0


def test_outputs(anna, topic):
    anna.pub("-t", topic, "-r", "-q", "1", "-s", stdin=b'1,"2"\x1b[31m')
    one = ("sub", "-t", topic, "-C", "1")
    assert anna.run(*one) == b'1,"2"\x1b[31m\n'
    assert anna.run(*one, "-v") == topic.encode() + b' 1,"2"\x1b[31m\n'
    assert anna.run(*one, "-N") == anna.run(*one, "--output", "raw") == b'1,"2"\x1b[31m'
    assert anna.run(*one, "--output", "csv").split(b",", 1)[1] == f'"{topic}",0,1,"1,""2""\x1b[31m"\r\n'.encode()
    assert json.loads(anna.run(*one, "--output", "json", "--pretty"))["payload"] == '1,"2"\x1b[31m'
    assert anna.run(*one, "-F", r"%l %x\t%%") == b"10 312c2232221b5b33316d\t%\n"
    anna.pub("-t", topic, "-r", "-q", "1", "-s", stdin=b"\xff\x00")
    assert json.loads(anna.run(*one, "--output", "json"))["payload_base64"] == "/wA="


def test_a_terminal_gets_no_control_characters(anna, topic):
    anna.pub("-t", topic, "-r", "-q", "1", "-s", stdin=b"\x1b]0;title\x07\nsecond line")
    main, side = pty.openpty()
    with subprocess.Popen([program("sub"), *anna.login, "-t", topic, "-C", "1"], stdout=side, stdin=subprocess.DEVNULL,
                          env=anna.environment) as child:
        os.close(side)
        shown = b""
        while b"line" not in shown:
            shown += os.read(main, 1024)
        assert child.wait(TIMEOUT_S) == 0
    os.close(main)
    assert shown.replace(b"\r\n", b"\n") == b"\\x1b]0;title\\x07\nsecond line\n"


def test_a_closed_pipe_is_no_failure(anna, topic):
    for name in ("a", "b", "c"):
        anna.pub("-t", f"{topic}/{name}", "-m", "x", "-r", "-q", "1")
    command = " ".join([program("sub"), *(f"'{w}'" for w in anna.login), "-t", f"'{topic}/#'"])
    done = subprocess.run(["bash", "-o", "pipefail", "-c", f"{command} | head -1"], env=anna.environment, cwd=anna.home,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=TIMEOUT_S)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"x\n", b"")


def test_a_full_disk_is_one(anna, topic):
    anna.pub("-t", topic, "-m", "x", "-r", "-q", "1")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([program("sub"), *anna.login, "-t", topic, "-C", "1"], stdout=full, stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env=anna.environment, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 1 and b"cannot write to standard output: No space left on device" in done.stderr


def test_denied(broker, tmp_path, topic):
    bert = clients_of(broker, tmp_path, "bert")
    said = bert.refuse(NOT_AUTHORIZED, "pub", "-t", topic, "-m", "x", "-q", "1")
    assert said == f"broker-pub: message 1 was not published to '{topic}': Not authorized (0x87): no rule allows it\n"
    said = bert.refuse(NOT_AUTHORIZED, "sub", "-t", topic)
    assert said == f"broker-sub: not subscribed to '{topic}': Not authorized (0x87): no rule allows it\n"
    assert "MQTT 3.1.1 gives no reason, -V 5 does" in bert.refuse(REFUSED, "sub", "-V", "3.1.1", "-t", topic)
    said = bert.refuse(NOT_AUTHORIZED, "rr", "-t", "may/ask", "-e", topic, "-m", "x")
    assert "where the answer would come: Not authorized" in said
    # One that is refused does not stop the other, and is seen in the status.
    bert.pub("-t", "may/x", "-m", "x", "-r", "-q", "1")
    done = bert.call("sub", "-t", topic, "-t", "may/#", "-C", "1")
    assert (done.returncode, done.stdout) == (NOT_AUTHORIZED, b"x\n")


def test_logins(broker, anna, topic):
    place = anna.login[:6]
    wrong = anna.home / "wrong"
    wrong.write_text("not it\n")
    wrong.chmod(0o600)
    words = ("pub", "-t", topic, "-m", "x")
    said = anna.refuse(LOGIN_REFUSED, *words, login=[*place, "-u", "anna", "--password-file", wrong])
    assert "the server refused the login: Bad User Name or Password (0x86); check the user" in said
    assert "Not authorized (0x87); does the server want a user" in anna.refuse(LOGIN_REFUSED, *words, login=place)
    assert "--password-file FILE" in anna.refuse(USAGE, *words, "-P", "secret")
    wrong.chmod(0o644)
    said = anna.refuse(USAGE, *words, login=[*place, "-u", "anna", "--password-file", wrong])
    assert "wrong" in said and "chmod" in said
    anna.run(*words, login=[*place, "-u", "anna", "--password-command", "cat anna.password"])
    assert "failed with status 3" in anna.refuse(USAGE, *words, login=[*place, "-u", "anna", "--password-command", "exit 3"])


def test_untrusted_servers(broker, anna, pki, topic, tmp_path_factory):
    other = type(pki)(tmp_path_factory.mktemp("other"))
    place, user = ["-h", "localhost", "-p", broker.port], anna.login[6:]
    words = ("pub", "-t", topic, "-m", "x")
    said = anna.refuse(UNTRUSTED, *words, login=[*place, *user])
    assert "was signed by" in said and "not among the CAs of this system" in said and "--cafile" in said
    said = anna.refuse(UNTRUSTED, *words, login=[*place, "--cafile", other.path("ca.crt"), *user])
    assert "localhost was signed by" in said and f"in {other.path('ca.crt')}" in said or "another key" in said
    said = anna.refuse(UNTRUSTED, *words, "--server-name", "wrong.example", login=anna.login)
    assert "is for localhost, 127.0.0.1, not for wrong.example" in said
    pin = "sha256/" + "A" * 43 + "="
    said = anna.refuse(UNTRUSTED, *words, login=[*place, "--pin", pin, *user])
    assert said.startswith("broker-pub: the server's key is not the pinned one: it is sha256/")
    right = said.split("it is ")[1].split(";")[0]
    anna.run(*words, login=[*place, "--pin", right, *user])
    done = anna.call(*words, login=[*place, "--insecure", *user])
    assert done.returncode == 0 and b"Anybody on the way can pose as the server" in done.stderr and b"password" in done.stderr
    assert "neither sha256/" in anna.refuse(USAGE, *words, login=[*place, "--pin", "x", *user])


def test_a_name_with_its_last_dot(broker, anna, topic):
    """Requirement N11: neither the certificate nor the name in the handshake has the dot."""
    anna.run("pub", "-t", topic, "-m", "x", "--server-name", "localhost.")
    mark = broker.mark()
    anna.refuse(LOGIN_REFUSED, "pub", "-t", topic, "-m", "x", "--server-name", "localhost.", login=anna.login[:6])
    assert broker.wait_log("connect-refused", mark)["sni"] == "localhost"


def test_client_certificates(new_broker, tmp_path, topic):
    for name in ("ours", "other"):
        (tmp_path / name).mkdir()
        PrivatePki(tmp_path / name).run("client", "anna")
    ours, other = (PrivatePki(tmp_path / name, made=False) for name in ("ours", "other"))
    config = ours.tls()
    config["tls"]["client_certificates"] = "required"
    words = ("pub", "-t", topic, "-m", "x", "-q", "1")

    def pair(pki):
        return "--cert", pki.issued("client-anna.crt"), "--key", pki.issued("client-anna.key")

    with new_broker(config=config) as b:
        c = Clients(tmp_path, "-h", "localhost", "-p", b.port, "--cafile", ours.file("server-ca.crt"))
        c.run(*words, *pair(ours))
        for _ in range(10):  # the alert comes after the handshake: it must not get lost
            assert "wants a client certificate: give one with --cert and --key" in c.refuse(UNTRUSTED, *words)
        assert "does not know the CA that signed the client certificate" in c.refuse(UNTRUSTED, *words, *pair(other))
        assert "key" in c.refuse(USAGE, *words, *pair(ours)[:3], other.issued("client-anna.key"))
        assert "No such file" in c.refuse(USAGE, *words, "--cert", "none.crt")
        ours.run("revoke", "anna")
        mark = b.mark()
        b.process.signal(signal.SIGHUP)
        b.wait_log("reloaded", mark)
        said = c.refuse(UNTRUSTED, *words, *pair(ours))
        assert "was revoked" in said


def test_expired_and_not_yet_valid(new_broker, pki, anna, topic):
    for wrong_by_s, words in ((-10_000 * 86400, "is not valid before"), (40_000 * 86400, "expired on")):
        clock = anna.home / "clock"
        clock.write_text(str(wrong_by_s))
        anna.environment.update({"LD_PRELOAD": os.environ["VAKT_WALL_CLOCK"], "VAKT_WALL_CLOCK": str(clock),
                                 "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"})
        said = anna.refuse(UNTRUSTED, "pub", "-t", topic, "-m", "x")
        assert words in said and "this machine's clock says" in said


def test_nobody_there(anna, topic):
    port = free_port()
    words = ("pub", "-t", topic, "-m", "x")
    said = anna.refuse(CANNOT_CONNECT, *words, login=["-h", "127.0.0.1", "-p", port])
    assert f"cannot connect to 127.0.0.1 port {port}: Connection refused: nothing listens there" in said
    assert "cannot find the host" in anna.refuse(CANNOT_CONNECT, *words, login=["-h", "no-such-host.invalid"])
    assert "there is no such socket" in anna.refuse(CANNOT_CONNECT, *words, login=["--unix", "no.sock"])


def test_an_address_in_one_word(broker, anna, topic):
    """-L with user and topic: the filter of sub, the topic of pub and rr."""
    login = [f"mqtts://anna@localhost:{broker.port}", *anna.login[4:6], *anna.login[8:]]

    def words(tool, what, *more):
        return (tool, "-L", f"{login[0]}/{what}", *more)

    anna.login = login[1:]
    sub = anna.sub(*words("sub", f"{topic}/+", "-C", "1")[1:])
    anna.run(*words("pub", f"{topic}/one", "-m", "here", "-q", "1"))
    assert lines_of(sub) == ["here"]


def test_a_port_without_tls(anna, topic):
    plain = LineProcess([MOSQUITTO, "-p", str(port := free_port())], stdin=subprocess.DEVNULL)
    plain.wait_line("running")
    said = anna.refuse(UNTRUSTED, "pub", "-t", topic, "-m", "x", login=["-h", "127.0.0.1", "-p", port])
    plain.kill()
    assert "may not speak TLS on this port" in said or "does not speak TLS on this port" in said


def test_too_large_for_the_server(anna, topic):
    said = anna.refuse(REFUSED, "pub", "-t", topic, "-s", "-q", "1", stdin=bytes(5_000_000))
    assert "larger than the server takes (its Maximum Packet Size)" in said


@pytest.mark.parametrize("words, said", [
    (("pub", "-m", "x"), "where to? -t TOPIC"),
    (("pub", "-t", "x"), "what to publish?"),
    (("pub", "-t", "x", "-m", "1", "-n"), "give one of"),
    (("pub", "-t", "a/+", "-m", "x"), "has a wildcard"),
    (("pub", "-t", "x", "-m", "x", "-q", "3"), "'3' is not 0, 1 or 2"),
    (("pub", "-t", "x", "-m", "x", "-D", "publish", "content-typ", "y"), "did you mean 'content-type'?"),
    (("pub", "-t", "x", "-m", "x", "-D", "publish", "will-delay-interval", "1"), "is not allowed in this packet"),
    (("pub", "-t", "x", "-m", "x", "-c"), "needs a client id"),
    (("pub", "-t", "x", "-m", "x", "-L", "mqtt://h"), "an address without TLS, which this program does not speak: mqtts://h, with the port"),
    (("pub", "-t", "x", "-m", "x", "-L", "mqtts://h/y"), "there is one topic for each call"),
    (("pub", "-t", "x", "-m", "x", "--mesage", "x"), "did you mean --message?"),
    (("sub",), "what to subscribe to?"),
    (("sub", "-t", "a/#/b"), "is not valid"),
    (("sub", "-t", "a", "--output", "yaml"), "there is no output 'yaml'"),
    (("sub", "-t", "a", "-F", "%y"), "there is no such conversion; a percent sign is %%, at '%y'"),
    (("sub", "-t", "a", "-C", "0"), "no number of messages"),
    (("rr", "-t", "x"), "what to ask?"),
])
def test_wrong_use(anna, words, said):
    assert said in anna.refuse(USAGE, *words)


def test_websocket_paths_and_words(broker, anna, topic):
    """[MQTT5-6.0.0-3], [MQTT3-6.0.0-3]"""
    port = port_of_websocket(broker)
    anna.pub("-t", topic, "-m", "x", "-q", "1", "-p", port, "--ws-path", "/other")
    words = ("pub", "-t", topic, "-m", "x", "--no-reconnect")
    said = anna.refuse(CANNOT_CONNECT, *words, "-p", port, "--ws-path", "/nowhere")
    assert "the server refused the WebSocket: 404" in said and "is it the right path?" in said
    said = anna.refuse(CANNOT_CONNECT, *words, "--ws")
    assert "is it the port of its WebSocket?" in said
    said = anna.refuse(CANNOT_CONNECT, *words, "-p", port)
    assert "is this the port of an MQTT listener, and not of HTTPS or WebSocket?" in said
    for path, why in (("mqtt", "it does not begin with /"), ("/a b", "written with %"), ("/a\nb", "written with %"),
                      ("/" + "a" * 1000, "longer than 1000 bytes")):
        assert why in anna.refuse(USAGE, *words, "--ws-path", path)


def test_websocket_from_a_profile_and_again(new_broker, tmp_path):
    """The connection of WebSocket is made again, too."""
    broker = new_broker(acl=ACL, users={"anna": ["all"]}, config={"persistence": {"directory": "store"}})
    broker.config["listeners"].append({"bind": free_bind(), "protocol": "https", "serve": ["websocket"]})
    broker.write()
    (tmp_path / "config/vakt").mkdir(parents=True)
    profile = tmp_path / "config/vakt/clients.yaml"
    profile.write_text("\n".join(["default:", "  host: localhost", f"  port: {port_of_websocket(broker)}", "  websocket: /mqtt",
                                  f"  ca: {broker.pki.path('ca.crt')}", "  user: anna",
                                  f"  password: {broker.password('anna')}", ""]))
    profile.chmod(0o600)
    clients = Clients(tmp_path)
    with broker:
        sub = clients.sub("-t", "back", "-C", "1", "-q", "1", "-i", "returns", "-c")
    sub.wait_line("trying again in")
    with broker:
        clients.pub("-t", "back", "-m", "here", "-q", "1", "-r")
        assert lines_of(sub)[-1] == "here"


def test_profiles(broker, anna, topic):
    words = ("pub", "-t", topic, "-m", "x", "-q", "1")
    folder = anna.home / "config" / "vakt"
    folder.mkdir(parents=True)
    file = folder / "clients.yaml"

    def write(text, mode=0o600):
        file.write_text(text)
        file.chmod(mode)

    profile = (f"  host: localhost\n  port: {broker.port}\n  ca: {broker.pki.path('ca.crt')}\n  user: anna\n")
    write(f"default:\n{profile}  password_file: ../../anna.password\nhome:\n{profile}  password: {broker.password('anna')}\n")
    anna.run(*words, login=[])
    anna.run(*words, login=["--profile", "home"])
    # Another host gets nothing of `default`.
    assert "cannot find the host" in anna.refuse(CANNOT_CONNECT, *words, login=["-h", "no-such-host.invalid"])
    assert "did you mean 'home'?" in anna.refuse(USAGE, *words, login=["--profile", "hom"])
    file.chmod(0o644)
    said = anna.refuse(USAGE, *words, login=[])
    assert "clients.yaml" in said and "chmod" in said
    write("default:\n  hots: x\n")
    assert "clients.yaml:2:3: error: unknown key 'hots'; did you mean 'host'?" in anna.refuse(USAGE, *words, login=[])


@pytest.mark.parametrize("qos", ["1", "2"])
def test_lines_survive_a_killed_broker(new_broker, tmp_path, qos):
    """Nothing that was acknowledged is lost, and all lines arrive: what was in flight is sent again."""
    b = new_broker(config={"persistence": {"directory": "store"}, "limits": {"queue_messages": 10_000}}).start()
    try:
        c = clients_of(b, tmp_path)
        with Wire(b, client_id="keeps", clean=False, props=SESSION) as client:
            client.subscribe("lines", qos=2)
        pub = c.start("pub", "-d", "-t", "lines", "-q", qos, "-l", "-c", "-i", "writer", stdin=subprocess.PIPE)
        pub.wait_line("connected as")
        for i in range(3000):
            pub.send_line(f"line {i}")
            if i == 1500:
                b.crash()
                b.start()
        pub.child.stdin.close()
        assert pub.wait(3 * TIMEOUT_S) == 0, "\n".join(pub.lines)
        assert any("trying again in" in line for line in pub.lines)
        with Wire(b, client_id="keeps", clean=False, props=SESSION) as client:
            got = []
            while not got or got[-1] != "line 2999":
                got.append(client.message().payload.decode())
        once = list(dict.fromkeys(got))
        assert once == [f"line {i}" for i in range(3000)]
        assert qos == "1" or got == once
    finally:
        b.stop()


def test_a_subscriber_comes_back(new_broker, tmp_path):
    b = new_broker().start()
    try:
        c = clients_of(b, tmp_path)
        sub = c.sub("-t", "x", "-C", "2")
        c.pub("-t", "x", "-m", "before", "-q", "1")
        sub.wait_line("before")
        b.crash()
        sub.wait_line("trying again in")
        mark = sub.mark()
        b.start()
        sub.wait_line("subscribed to", mark, timeout_s=3 * TIMEOUT_S)
        c.pub("-t", "x", "-m", "after", "-q", "1")
        assert lines_of(sub) == ["before", "after"]
        ends = c.start("sub", "-d", "-t", "x", "--no-reconnect")
        ends.wait_line("subscribed")
        b.crash()
        assert ends.wait(TIMEOUT_S) == LOST
        tries = c.start("pub", "-t", "x", "-m", "x", "-q", "1", "--keep-trying")
        tries.wait_line("trying again in")
        b.start()
        assert tries.wait(3 * TIMEOUT_S) == 0
    finally:
        b.stop()


def test_topic_aliases(new_broker, tmp_path):
    """A topic travels once in each connection. [MQTT5-3.3.2-7]"""
    b = new_broker().start()
    try:
        c = clients_of(b, tmp_path)
        sub = c.sub("-t", "long/#", "-F", "%t %A %p", "-C", "5")
        old = c.sub("-V", "3.1.1", "-t", "long/#", "-F", "%t %A %p", "-C", "2")
        for topic, text in (("long/one", "1"), ("long/two", "2"), ("long/two", "3"), ("long/one", "4")):
            c.pub("-t", topic, "-m", text, "-q", "1")
            sub.wait_line(f"{topic} {1 if topic == 'long/one' else 2} {text}")
        assert lines_of(old) == ["long/one  1", "long/two  2"]
        b.crash()
        sub.wait_line("trying again in")
        mark = sub.mark()
        b.start()
        sub.wait_line("subscribed to", mark, timeout_s=3 * TIMEOUT_S)
        c.pub("-t", "long/two", "-m", "5", "-q", "1")
        assert lines_of(sub)[-1] == "long/two 1 5"
    finally:
        b.stop()


def test_deadline_and_signals(anna, topic):
    said = anna.refuse(TIMED_OUT, "sub", "-t", topic, "-C", "2", "-W", "1")
    assert "0 of 2 messages came within the time of --wait" in said
    assert anna.run("sub", "-t", topic, "-W", "500ms") == b""
    assert anna.run("sub", "-t", topic, "-E") == b""
    sub = anna.sub("-t", topic)
    sub.signal(signal.SIGINT)
    assert sub.wait(TIMEOUT_S) == 0


def test_another_client_with_the_id(anna, topic):
    sub = anna.sub("-t", topic, "-i", "same")
    anna.pub("-t", topic, "-m", "x", "-i", "same")
    assert sub.wait(TIMEOUT_S) == LOST
    assert any("Session taken over" in line and "another client has the same client id" in line for line in sub.lines)


# Of times only what is the same in both runs. No width with %x: mosquitto_sub 2.0.11 then leaves out a part of the payload.
SAME_FORMATS = ["%t|%p|%l|%q|%r|%x|%X|%%", "[%12t][%-12t][%012t][%.3t][%10.3t][%-10.3t]", "[%6p][%-6p][%.1p]", "[%8l][%08l][%-8l][%-08l]",
                r"@@ \n\t\r\a\e\v\\ %t", "me@@house", "[%C][%8C][%-8C][%.2C][%R][%.2R][%P][%E]",
                "%5q %5r"]


@pytest.mark.parametrize("form", SAME_FORMATS)
def test_formats_are_those_of_mosquitto_sub(broker, tmp_path, form):
    anna, topic = clients_of(broker, tmp_path), "formats/one"
    anna.run("pub", "-t", topic, "-m", "on!", "-r", "-D", "publish", "content-type", "text", "-D", "publish", "response-topic", "to/me",
             "-D", "publish", "user-property", "a", "b")
    theirs = subprocess.run(["mosquitto_sub", "-V", "5", "-h", "localhost", "-p", str(broker.port), "--cafile", broker.pki.path("ca.crt"),
                             "-u", "anna", "-P", broker.password("anna"), "-t", topic, "-C", "1", "-F", form],
                            stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=TIMEOUT_S)
    assert anna.run("sub", "-t", topic, "-C", "1", "-F", form) == theirs.stdout


def test_a_payload_that_is_json(broker, tmp_path):
    anna, topic = clients_of(broker, tmp_path), "formats/json"
    anna.run("pub", "-t", topic, "-m", '{"t": [20.5, null]}', "-r")
    assert json.loads(anna.run("sub", "-t", topic, "-C", "1", "-F", "%J"))["payload"] == {"t": [20.5, None]}
    assert json.loads(anna.run("sub", "-t", topic, "-C", "1", "-F", "%j"))["payload"] == '{"t": [20.5, null]}'
    anna.run("pub", "-t", topic, "-m", "{t}", "-r")
    done = anna.call("sub", "-t", topic, "-C", "1", "-F", "[%J]")
    assert (done.returncode, done.stdout) == (0, b"[]\n")
    assert b"the payload on the topic formats/json is not valid JSON" in done.stderr
