"""broker-bench against the broker, over TLS and a Unix socket, and against Debian's mosquitto: what it counts, what it
measures, and what it says of itself."""

import getpass
import json
import os
import re
import signal
import subprocess
import time

import pytest
from broker_fixture import ENVIRONMENT, ROOT, free_bind, free_port
from process import TIMEOUT_S, LineProcess
from test_bridge import MOSQUITTO

BENCH = os.environ["VAKT_BENCH"]
CROWD = os.environ.get("VAKT_MQTT_CROWD", str(ROOT / "build/tests/scenario/drivers/mqtt_crowd"))
LIMITED, BROKEN_PROMISE = 4, 3


class Target:
    """A broker, and how broker-bench gets there."""

    def __init__(self, pid, options):
        self.pid, self.options = pid, options

    def command(self, *words):
        return [BENCH, *map(str, self.options), "--pid", str(self.pid), "--json", "-", *map(str, words)]

    def run(self, *words, status=(0, LIMITED)):
        """The results; a busy machine may be the limit."""
        done = subprocess.run(self.command(*words), env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=3 * TIMEOUT_S)
        assert done.returncode in status, done
        assert "runtime error" not in done.stderr and "Sanitizer" not in done.stderr, done.stderr
        found = json.loads(done.stdout)
        found["text"] = done.stderr
        return found


@pytest.fixture(scope="module")
def broker(new_broker):
    fixture = new_broker(users={"anna": ["all"], "bob": ["limited"]},
                         acl={"roles": {"all": ["allow all bench/#", "allow all retained/#"], "limited": ["allow publish bench/#"]}},
                         config={"workers": 2, "limits": {"connections_per_address": 0}})
    fixture.config["listeners"] += [{"bind": f"unix:{fixture.directory}/mqtt.sock"},
                                    {"bind": free_bind(), "protocol": "https", "serve": ["websocket"]}]
    fixture.write()
    for name in ("anna", "bob"):
        fixture.write_file(name, fixture.password(name) + "\n")
    with fixture:
        yield fixture


def over_tls(broker, user="anna"):
    return Target(broker.process.pid, ["--host", "localhost", "--port", broker.port, "--cafile", broker.pki.path("ca.crt"),
                                       "-u", user, "--password-file", broker.directory / user])


def over_websocket(broker, *, path="/mqtt"):
    options = over_tls(broker).options
    return Target(broker.process.pid, [*options, "--port", broker.addresses[2][1], "--websocket", path])


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory):
    directory, port = tmp_path_factory.mktemp("mosquitto"), free_port()
    (directory / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {getpass.getuser()}\n"
                                              "max_queued_messages 0\nlog_type all\n")
    process = LineProcess([MOSQUITTO, "-c", str(directory / "mosquitto.conf")], stdin=subprocess.DEVNULL)
    try:
        process.wait_line("running")
        yield Target(process.pid, ["--plain", "--host", "127.0.0.1", "--port", port])
    finally:
        process.signal(signal.SIGTERM)
        process.wait(TIMEOUT_S)


@pytest.fixture(params=["tls", "unix", "mosquitto"])
def target(request, broker):
    if request.param == "mosquitto":
        return request.getfixturevalue("mosquitto")
    if request.param == "unix":
        return Target(broker.process.pid, ["--unix", broker.directory / "mqtt.sock", "-u", "anna",
                                           "--password-file", broker.directory / "anna"])
    return over_tls(broker)


def nothing_is_wrong(found):
    assert found["error"] is None and not found["interrupted"]
    assert (found["lost"], found["duplicates"], found["not_sent"], found["refused"], found["foreign"]) == (0, 0, 0, 0, 0)


SHAPES = {
    "pairs": (["--publishers", 3, "--subscribers", 6], 2),
    "fan-in": (["--publishers", 5, "--subscribers", 1, "--layout", "all"], 1),
    "fan-out": (["--publishers", 1, "--subscribers", 7, "--layout", "all"], 7),
    "shared": (["--publishers", 2, "--subscribers", 5, "--layout", "shared", "--groups", 2, "--threads", 2], 2),
}


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_counts_are_exact(target, shape, qos):
    words, copies = SHAPES[shape]
    found = target.run(*words, "--qos", qos, "--rate", 400, "--messages", 200, "--warm-up-count", 20)
    nothing_is_wrong(found)
    assert (found["sent"], found["sent_all"]) == (200, 220)
    assert (found["received"], found["expected"]) == (200 * copies, 220 * copies)
    assert found["latency_count"] == 200 * copies and found["ack_count"] == (200 if qos else 0)
    assert shape == "shared" or found["out_of_order"] == 0


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_the_rate_is_reached(target, version, arrivals):
    """What is due in the measured time comes from the schedule alone, and so it is the same on each machine."""
    found = target.run("-V", version, "--publishers", 4, "--subscribers", 4, "--rate-each", 75, "--duration", "2s", "--arrivals",
                       arrivals, "--qos", 1, "--payload", "24,100,2000", "--seed", 5, "--ramp", "500ms", "--warm-up", "300ms")
    nothing_is_wrong(found)
    assert found["due"] == found["begun"] == found["latency_count"]
    assert abs(found["due"] - 600) <= (1 if arrivals == "constant" else 100)
    assert found["broker_cpu_ns"] > 0 and found["broker_resident_bytes"] > 1e6


def test_as_fast_as_it_goes(target):
    found = target.run("--publishers", 2, "--subscribers", 4, "--rate", "max", "--bunch", 20, "--in-flight", 3, "--qos", 1,
                       "--messages", 4000)
    nothing_is_wrong(found)
    assert (found["sent"], found["received"], found["ack_count"]) == (4000, 8000, 4000)


@pytest.mark.parametrize("frames", [0, 1, 6])
def test_frames_of_websocket(broker, frames):
    """However packets are cut, and with many in a write; messages of more than 64 kB have a long length."""
    found = over_websocket(broker).run("--publishers", 2, "--subscribers", 2, "--rate", "max", "--bunch", 20, "--qos", 1, "--messages", 400,
                                       "--websocket-frames", frames, "--payload", "24,200,70000")
    nothing_is_wrong(found)
    assert (found["sent"], found["received"], found["out_of_order"]) == (400, 400, 0)


def test_idle_websocket_clients(broker):
    found = over_websocket(broker).run("--idle", 3, "--keep-alive", "1s", "--duration", "3s", "--warm-up", "0")
    assert found["error"] is None


def test_many_connects(broker):
    found = over_tls(broker).run("--connects", 60, "--connects-at-once", 5, "--resume", "--warm-up-count", 10)
    assert (found["connects"], found["connects_all"], found["connects_failed"]) == (60, 70, 0)
    assert found["connect_count"] == 60 and found["handshakes"] == 70
    assert 60 <= found["resumed"] < 70
    found = over_tls(broker).run("--connect-rate", 40, "--duration", "2s", "--warm-up", "0")
    assert abs(found["connect_count"] - 80) <= 1 and found["resumed"] == 0


def test_what_is_stored(broker):
    """Sessions that are away, what is retained, filters, idle clients: memory and CPU for each."""
    found = over_tls(broker).run("--publishers", 1, "--subscribers", 1, "--qos", 1, "--session-expiry", "60s", "--away", "--messages",
                                 300, "--rate", "max", "--bunch", 10)
    assert (found["sent"], found["acknowledged_all"], found["received"], found["lost"]) == (300, 300, 0, 0)
    found = over_tls(broker).run("--publishers", 2, "--topics", 50, "--retain", "--qos", 1, "--rate", 1000, "--messages", 100,
                                 "--replays", 3, "--topic", "retained")
    nothing_is_wrong(found)
    assert found["replay_wall_ns"] > 0
    found = over_tls(broker).run("--subscribers", 2, "--filters", 250, "--idle", 20, "--warm-up-count", 5, "--duration", "0")
    assert found["error"] is None and found["broker_subscribe_cpu_ns"] > 0


def test_idle_clients_keep_alive(broker):
    """They send PINGREQ in time: with a keep alive of a second the broker would have closed them."""
    found = over_tls(broker).run("--idle", 3, "--keep-alive", "1s", "--duration", "4s", "--warm-up", "0")
    assert found["error"] is None


def test_slow_subscribers(broker):
    """They hold up nobody, and what they miss is no loss."""
    found = over_tls(broker).run("--publishers", 1, "--subscribers", 3, "--layout", "all", "--slow-subscribers", 1, "--slow-bytes", 2000,
                                 "--payload", 500, "--rate", 100, "--duration", "2s", "--drain", "1s")
    nothing_is_wrong(found)
    assert found["expected"] == 2 * found["sent_all"]
    assert 0 < found["slow_received"] < found["sent_all"] / 2


def at_the_second(process, number):
    process.wait_line(lambda line: re.match(rf"\s*{number} s ", line))


def stopped_for(process, pid, seconds):
    """While it is measured."""
    at_the_second(process, 2)
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)    # its length is what is tested
    finally:
        os.kill(pid, signal.SIGCONT)


def results_of(process):
    status = process.wait(3 * TIMEOUT_S)
    return status, json.loads(next(line for line in process.lines if line.startswith("{"))), "\n".join(process.lines)


STEADY = ["--publishers", 2, "--subscribers", 2, "--rate", 200, "--duration", "5s", "--drain", "10s"]


def test_a_broker_that_stops_is_seen(broker):
    """In all messages that were due meanwhile: no coordinated omission."""
    target = over_tls(broker)
    process = LineProcess(target.command(*STEADY), env=ENVIRONMENT, stdin=subprocess.DEVNULL)
    stopped_for(process, target.pid, 1.5)
    _, found, _ = results_of(process)
    nothing_is_wrong(found)
    assert found["latency_count"] == found["due"] and abs(found["due"] - 1000) <= 1
    assert found["latency_max_ns"] >= 1.4e9 and found["latency_p99_ns"] >= 1.2e9
    assert found["latency_p90_ns"] >= 0.7e9    # 300 of 1,000 were due while it stood still


def test_a_generator_that_stops_says_so(broker):
    process = LineProcess(over_tls(broker).command(*STEADY), env=ENVIRONMENT, stdin=subprocess.DEVNULL)
    stopped_for(process, process.pid, 1.5)
    status, found, text = results_of(process)
    assert status == LIMITED and found["generator_limited"]
    assert "after it was due" in found["generator_limited_by"] and found["late_p99_ns"] >= 1e9
    assert found["latency_p99_ns"] >= 1e9    # counted from when it was due
    assert "The figures say more about the generator than about the broker: " in text


def test_too_high_a_rate(broker):
    """It does not come to all that is due, and says so."""
    found = over_tls(broker).run("--publishers", 1, "--rate", 10**8, "--duration", "500ms", "--warm-up", "0", "--drain", "0",
                                 status=[LIMITED])
    assert found["generator_limited"] and found["due"] > found["begun"]
    assert "were due it came to only" in found["generator_limited_by"]


def test_the_end_is_asked_for(broker):
    process = LineProcess(over_tls(broker).command(*STEADY), env=ENVIRONMENT, stdin=subprocess.DEVNULL)
    at_the_second(process, 2)
    process.signal(signal.SIGINT)
    status, found, _ = results_of(process)
    assert status == 1 and found["interrupted"] and found["sent_all"] > 0


@pytest.mark.parametrize(("way", "connections"), [("unix", 10000), ("tls", 200)])
def test_the_library_with_many_connections(new_broker, way, connections):
    """What broker-pub and broker-sub are made of: 10,000 of them on one loop lose nothing and mix up nothing."""
    broker = new_broker(users={"anna": ["all"]}, acl={"roles": {"all": ["allow all bench/#"]}},
                        config={"limits": {"connections": 20000, "connections_per_address": 0}})
    broker.config["listeners"].append({"bind": f"unix:{broker.directory}/mqtt.sock", "peer_users": {str(os.getuid()): "anna"}})
    broker.write()
    with broker:
        where = [broker.directory / "mqtt.sock"] if way == "unix" else ["localhost", broker.port, broker.pki.path("ca.crt"), "anna",
                                                                         broker.password("anna")]
        done = subprocess.run([CROWD, *map(str, [*where, connections, 2, 5000])], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=5 * TIMEOUT_S)
        assert done.returncode == 0 and done.stderr == "", done
        found = json.loads(done.stdout)
    assert (found["connections"], found["rounds_messages"], found["bunches_messages"]) == (connections, 2 * connections, 5000)


REFUSED = {
    "untrusted": (lambda b: ["--host", "localhost", "--port", b.port], "which is not among the CAs of this system: give the file "
                  "of the right CA with --cafile"),
    "another key": (lambda b: ["--host", "localhost", "--port", b.port, "--cafile", b.pki.path("ca.crt"), "--pin", "sha256/" + "A" * 43 + "="],
                    "the server's key is not the pinned one"),
    "nobody": (lambda b: ["--plain", "--port", free_port()], "Connection refused"),
    "another path": (lambda b: over_websocket(b, path="/elsewhere").options, "the server refused the WebSocket: 404 Not Found: is it the "
                     "right path?"),
    "no WebSocket": (lambda b: [*over_tls(b).options, "--websocket", "/mqtt"], "the broker closed the connection instead of opening a WebSocket"),
    "no TLS": (lambda b: ["--plain", "--host", "127.0.0.1", "--port", b.port], "the broker closed the connection"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_who_cannot_connect(broker, case):
    options, words = REFUSED[case]
    found = Target(broker.process.pid, options(broker)).run("--publishers", 1, status=[1])
    assert words in found["error"], found["error"]
    assert found["error"] in found["text"]


def test_who_may_not(broker):
    """A refusal of the login, of a subscription, of a message."""
    broker.write_file("wrong", "not the password\n")
    login = Target(broker.process.pid, [*over_tls(broker).options[:-1], broker.directory / "wrong"])
    assert "the broker refused CONNECT: Bad User Name or Password (0x86)" in login.run("--publishers", 1, status=[1])["error"]
    assert "the broker refused a subscription" in over_tls(broker, "bob").run("--subscribers", 1, status=[1])["error"]
    found = over_tls(broker).run("--publishers", 1, "--qos", 1, "--rate", 100, "--messages", 20, "--topic", "elsewhere")
    assert found["refused"] == 20 and found["lost"] == 0


USAGE = {
    "nothing to do": ([], "there is nothing to do"),
    "a password that all can read": (["-P", "x"], "a password on the command line is seen by every user of this machine"),
    "bad value": (["--qos", "3"], "--qos: expected a whole number from 0 to 2, not '3'"),
    "unknown": (["--publisher", "3", "--quite"], "there is no option '--quite'; did you mean --quiet?"),
    "excess": (["--publishers", "1", "x"], "unexpected argument 'x'"),
    "no file": (["--scenario", "x"], "--scenario needs --file"),
    "two ways": (["--unix", "x", "--host", "y", "--publishers", "1"], "--unix and a host cannot be used together"),
    "two kinds": (["--unix", "x", "--plain", "--publishers", "1"], "--plain is for TCP, and --unix is without TLS anyway"),
    "what was --quiet": (["-q", "--json", "--publishers", "1"], "-q is the quality of service, as of broker-pub; no lines of progress: --quiet"),
    "the last -q": (["--publishers", "1", "-q"], "-q needs a value"),
    "a client id": (["-i", "me"], "there is no option '-i': each client has an id of its own"),
    "no user": (["--publishers", "1", "-h", "localhost", "--password-command", "echo x"], "there is a password, and no user: -u USER"),
    "no path": (["--websocket", "mqtt", "--port", "1", "--publishers", "1"], "--websocket: expected a path like /mqtt, not 'mqtt'"),
    "no port": (["--websocket", "/mqtt", "--publishers", "1"], "--websocket needs --port: the one of the HTTPS listener"),
    "no certificate": (["--cafile", "/nonexistent", "--publishers", "1"], "cannot read CA certificates from the file '/nonexistent'"),
    "no such process": (["--pid", "x"], "--pid: expected the number of a process"),
}


@pytest.mark.parametrize("case", USAGE)
def test_usage(case):
    words, want = USAGE[case]
    done = subprocess.run([BENCH, *words], env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=TIMEOUT_S)
    assert done.returncode == 2 and want in done.stderr and done.stdout == "", done


def test_words_of_the_other_clients(broker, tmp_path):
    """A profile, a password from a command, an address with a topic, the letters of mosquitto's clients."""
    profiles = tmp_path / "vakt/clients.yaml"
    profiles.parent.mkdir()
    profiles.write_text(f"default: {{ host: localhost, port: {broker.port}, ca: {broker.pki.path('ca.crt')}, user: anna, "
                        f"password_command: cat {broker.directory}/anna }}\n")
    load = ["-q", 1, "-k", 30, "-M", 5, "--publishers", 1, "--subscribers", 1, "--rate", 200, "--messages", 20, "--quiet", "--json", "-"]
    for place in ([], ["-L", f"mqtts://anna@localhost:{broker.port}/bench/there", "--cafile", broker.pki.path("ca.crt"),
                       "--password-file", broker.directory / "anna", "-A", "127.0.0.2"]):
        done = subprocess.run([BENCH, *map(str, [*place, *load])], env={**ENVIRONMENT, "XDG_CONFIG_HOME": str(tmp_path)},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=3 * TIMEOUT_S)
        assert done.returncode in (0, LIMITED), done
        found = json.loads(done.stdout)
        nothing_is_wrong(found)
        assert found["ack_count"] == 20
        assert (found["workload_topic"], found["workload_keep_alive"], found["workload_window"]) == \
            ("bench/there" if place else "bench", "30000ms", "5")


def documented_members(manual):
    rows = re.findall(r"^\.It Ic (.*)$", manual, re.M)
    return {word for row in rows if "Ns Ar" not in row for word in re.findall(r"\w+", row)}


def test_scenarios_of_a_file(broker, tmp_path):
    """Options change what it says; the results repeat what was done; members are those of the manual."""
    file = tmp_path / "load.yaml"
    file.write_text("scenarios:\n  few: { publishers: 1, subscribers: 1, rate: 100, messages: 30, payload: [24, 40] }\n"
                    "  many: { publishers: 1000 }\n")
    found = over_tls(broker).run("--file", file, "--scenario", "few", "--messages", 50)
    nothing_is_wrong(found)
    assert found["sent"] == 50
    assert (found["workload_payload"], found["workload_messages"], found["workload_rate"]) == ("24,40", "50", "100")
    manual = (ROOT / "man/broker-bench.1.in").read_text(encoding="utf-8")
    documented = {name for name in documented_members(manual) if not name.startswith("alone_")}  # with --null-sink
    figures = [word for word in re.findall(r"(\w+) ,|(\w+)\nor|\.Ic (max_ns)", manual.split("is\n.Ic count")[1].split("exact")[0])]
    for prefix in ("latency", "ack", "connect", "late"):
        documented |= {f"{prefix}_{name}" for words in figures for name in words if name} | {f"{prefix}_count"}
    documented |= {name for name in found if name.startswith("workload_")}
    assert set(found) - {"text"} == documented


def test_time_of_a_closed_loop_begins_with_its_first_message(target):
    found = target.run("--publishers", 1, "--rate", "max", "--next-after", "ack", "--qos", 1, "--messages", 20)
    nothing_is_wrong(found)
    assert 0.99 * found["ack_mean_ns"] * found["ack_count"] <= found["measured_ns"] < TIMEOUT_S * 1e9


ALSO_ALONE = "also with a null sink in place of the broker, "
NEAR_ALONE = "with a null sink in place of the broker it comes to "


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_null_sink_follows_the_same_schedule(target, qos):
    found = target.run("--null-sink", "--publishers", 3, "--subscribers", 3, "--rate", 300, "--duration", "1s", "--warm-up", "100ms",
                       "--qos", qos, "--threads", 2)
    nothing_is_wrong(found)
    assert found["alone_due"] == found["due"] == found["alone_begun"]
    manual = (ROOT / "man/broker-bench.1.in").read_text(encoding="utf-8")
    alone = {name for name in documented_members(manual) if name.startswith("alone_")}
    assert {name for name in found if name.startswith("alone_")} == alone != set()
    assert found["alone_rate"] == 0 and NEAR_ALONE not in found["generator_limited_by"]
    assert "without the broker, against a null sink:" in found["text"]


def test_null_sink_says_what_is_too_much(target):
    """More than any machine can do: the broker is not asked who was the limit."""
    found = target.run("--null-sink", "--publishers", 1, "--rate", 100000000, "--duration", "500ms", "--warm-up", 0, "--drain", 0,
                       status=[LIMITED])
    assert found["alone_begun"] < found["alone_due"]
    assert ALSO_ALONE in found["generator_limited_by"] and ALSO_ALONE in found["text"]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_null_sink_and_as_fast_as_it_goes(target, qos):
    found = target.run("--null-sink", "--publishers", 2, "--subscribers", 2, "--rate", "max", "--bunch", 5, "--qos", qos,
                       "--messages", 1000)
    nothing_is_wrong(found)
    rate = found["sent"] / (found["measured_ns"] / 1e9)
    assert found["alone_rate"] > 0
    if abs(rate / found["alone_rate"] - 0.8) > 0.05:  # the figures are rounded
        assert (NEAR_ALONE in found["generator_limited_by"]) == (rate > found["alone_rate"] * 0.8)


@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_null_sink_lets_a_storm_in(broker, resume):
    found = over_tls(broker).run("--null-sink", "--connects", 40, "--connect-rate", 40, *resume)
    assert found["error"] is None and found["connects"] == 40
    assert found["alone_due"] == found["alone_begun"] == 40


def test_null_sink_without_a_load(broker):
    done = subprocess.run(over_tls(broker).command("--null-sink", "--idle", 5), env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--null-sink needs a load: --publishers, --connects or --connect-rate" in done.stderr


def test_null_sink_ends_with_the_generator(broker):
    """Also when it is killed."""
    process = subprocess.Popen(over_tls(broker).command("--null-sink", "--publishers", 1, "--rate", 100, "--duration", "60s"),
                               env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children = []
    while not children:
        assert process.poll() is None
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            children = file.read().split()
    process.kill()
    process.wait(TIMEOUT_S)
    deadline = time.monotonic() + TIMEOUT_S
    while any(os.path.exists(f"/proc/{child}") for child in children):
        assert time.monotonic() < deadline, children
        time.sleep(0.01)
