"""Metrics over HTTPS: who gets them, what they say, and that Prometheus, its linter, the board and the alerts take them."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import mqtt
import pytest
from broker_fixture import ROOT, free_bind, free_port
from control import ctl, rows
from process import TIMEOUT_S, LineProcess
from wire import Wire, tls_context

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
MONITORING = ROOT / "tools/monitoring"
PATH = f"{os.environ['PATH']}:{ROOT}/build-check/prometheus/usr/bin"
PROMTOOL, PROMETHEUS = (shutil.which(name, path=PATH) for name in ("promtool", "prometheus"))
needs_prometheus = pytest.mark.skipif(not PROMETHEUS, reason="prometheus is not there: tools/dependencies check")
OPEN = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
ACL = {"roles": {"all": ["deny publish secret/#", "allow all #"], "figures": ["allow all $SYS/#"]}}
SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (\S+)')


def https(**metrics):
    return {"bind": free_bind(), "protocol": "https", "serve": ["metrics"], "metrics": metrics}


@pytest.fixture(scope="module")
def broker(new_broker, pki):
    for name in ("reader", "stranger"):
        pki.client("metrics-clients", name, name)
    tls = {"client_certificates": "optional", "client_ca": str(pki.path("metrics-clients.crt"))}
    broker = new_broker(config={"persistence": {"directory": "store"}, "workers": 2, "tls": tls, "control": {"socket": "control.sock"},
                                "authentication": {"certificate_user": "cn"}, "limits": {"queue_messages": 5}},
                        acl=ACL, users={"anna": ["all", "figures"]})
    broker.add_user("reader", ["figures"], password=False)
    broker.add_user("stranger", ["all"], password=False)
    broker.write_file("token", TOKEN + "\n")
    broker.config["listeners"] += [https(token_file="token"), https(allow_from=["127.0.0.0/8"])]
    broker.write()
    with broker:
        yield broker


def get(broker, listener=1, *, token=None, accept=None, certificate=None, method="GET", path="/metrics"):
    host, port = broker.addresses[listener]
    connection = http.client.HTTPSConnection("localhost", port, timeout=TIMEOUT_S,
                                             context=tls_context(broker.pki, certificate=certificate))
    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **({"Accept": accept} if accept else {})}
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def samples(text):
    """{name: {labels: value}} of an answer"""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            found.setdefault(name, {})[labels or ""] = float(value)
    return found


def scrape(broker):
    answer, body = get(broker, token=TOKEN)
    assert answer.status == 200
    return samples(body)


def be_busy(broker):
    """Something of everything: messages of each QoS, denials, drops, a takeover, wrong passwords, no TLS at all."""
    with Wire(broker, client_id="elsewhere", clean=False, props={"session_expiry_interval": 3600}) as away:
        away.subscribe("queue/#")
        away.disconnect()
    with Wire(broker, client_id="busy") as client, Wire(broker, client_id="taken"):
        client.subscribe("busy/#", qos=2)
        for qos in (0, 1, 2):
            client.publish(f"busy/{qos}", b"x" * 100, qos=qos)
        for number in range(10):
            client.publish(f"queue/{number}", b"x", qos=1)
        assert client.publish("secret/1", b"x", qos=1).reason == 0x87
        client.publish("retained/1", b"x", qos=1, retain=True)
        Wire(broker, client_id="taken").close()
    Wire(broker, client_id="wrong", password="wrong", expect=0x86).expect_close()
    mark = broker.mark()
    with socket.create_connection(broker.addresses[0], timeout=TIMEOUT_S) as plain:
        plain.sendall(mqtt.connect(5, "plain"))
        broker.wait_log("plaintext-refused", mark)


# --- who gets them ---

@pytest.mark.parametrize(("options", "status"), [
    ({}, 401), ({"token": OTHER}, 401), ({"token": TOKEN[:-1]}, 401), ({"token": TOKEN + "0"}, 401), ({"token": TOKEN}, 200),
    ({"certificate": "reader"}, 200), ({"certificate": "stranger"}, 403), ({"certificate": "stranger", "token": TOKEN}, 200),
    ({"certificate": "reader", "token": OTHER}, 401), ({"listener": 2}, 200), ({"listener": 2, "token": OTHER}, 401),
    ({"token": TOKEN, "method": "POST"}, 405), ({"token": TOKEN, "path": "/other"}, 404),
    ({"token": TOKEN, "method": "HEAD"}, 200)])
def test_who_gets_them(broker, options, status):
    answer, body = get(broker, **options)
    assert answer.status == status
    assert ("vakt_" in body) == (status == 200 and options.get("method") != "HEAD")
    if status == 401:
        assert answer.getheader("WWW-Authenticate") == 'Bearer realm="metrics"'


@pytest.mark.parametrize(("token", "mode", "why"), [
    ("short", 0o600, "can be guessed"), (TOKEN, 0o644, "others may read it"), ("", 0o600, "empty"),
    (f"{TOKEN}\n{OTHER}", 0o600, "line"), (f"two words {TOKEN}", 0o600, "no blanks"), (None, 0o600, "there is no such file: make it with '(umask 077; openssl rand -hex 24 > "),
    (TOKEN.encode("utf-16").decode("latin-1"), 0o600, "UTF-16")])
def test_a_token_file_that_is_none_is_refused(new_broker, token, mode, why):
    broker = new_broker()
    broker.config["listeners"].append(https(token_file="token"))
    broker.write()
    if token is not None:
        (broker.directory / "token").write_bytes(token.encode("latin-1"))
        (broker.directory / "token").chmod(mode)
    done = subprocess.run([os.environ["VAKT_BROKER"], "--check", "-c", str(broker.directory / "broker.yaml")], text=True,
                          capture_output=True, check=False, env=broker.environment, timeout=TIMEOUT_S)
    assert done.returncode == 2 and why in done.stderr, done.stderr


def test_a_new_token_is_noticed(new_broker):
    broker = new_broker()
    broker.write_file("token", TOKEN + "\r\n")
    broker.config["listeners"].append(https(token_file="token"))
    broker.write()
    with broker:
        assert get(broker, token=TOKEN)[0].status == 200
        mark = broker.mark()
        broker.write_file("token", OTHER + "\n")
        broker.wait_log("reloaded", mark)
        assert get(broker, token=OTHER)[0].status == 200 and get(broker, token=TOKEN)[0].status == 401


# --- what they say ---

@needs_prometheus
def test_promtool_finds_nothing_to_say(broker):
    be_busy(broker)
    _, body = get(broker, token=TOKEN)
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=body, text=True, capture_output=True, check=False)
    assert done.returncode == 0 and done.stdout + done.stderr == "", done.stdout + done.stderr


@needs_prometheus
def test_broker_ctl_prints_the_same(broker):
    """Without HTTPS: the same series in the same text, clean for the linter."""
    text = ctl(broker, "metrics").stdout
    _, scraped = get(broker, token=TOKEN)
    assert {name: set(labels) for name, labels in samples(text).items()} == {
        name: set(labels) for name, labels in samples(scraped).items()}
    assert [line for line in text.splitlines() if line.startswith("#")] == [line for line in scraped.splitlines() if line.startswith("#")]
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0 and done.stdout + done.stderr == "", done.stdout + done.stderr
    assert rows(broker, "metrics")[0]["line"].startswith("# HELP vakt_build_info ")


def test_open_metrics_ends_and_names_counters_without_total(broker):
    answer, body = get(broker, token=TOKEN, accept=OPEN)
    assert answer.getheader("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body.endswith("# EOF\n") and "# TYPE vakt_denials counter" in body and "\nvakt_denials_total{" in body
    plain, text = get(broker, token=TOKEN)
    assert plain.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    assert "EOF" not in text and "# TYPE vakt_denials_total counter" in text
    assert set(samples(body)) == set(samples(text))


def test_they_count_what_happens(broker):
    before = scrape(broker)
    be_busy(broker)
    after = scrape(broker)

    def grew(name, labels=""):
        return after[name][labels] - before[name][labels]

    assert grew("vakt_publish_received_total", 'qos="2"') == 1
    assert grew("vakt_publish_received_total", 'qos="1"') == 13
    assert grew("vakt_denials_total", 'action="publish"') == 1
    assert grew("vakt_publish_dropped_total", 'reason="queue_full"') > 0
    assert grew("vakt_disconnects_total", 'reason="taken_over"') == grew("vakt_takeovers_total") == 1
    listener = broker.config["listeners"][0]["bind"]
    assert grew("vakt_connects_total", f'listener="{listener}",result="refused"') == 1
    assert grew("vakt_connects_total", f'listener="{listener}",result="accepted"') == 4
    assert grew("vakt_tls_handshake_failures_total", 'cause="plaintext"') == 1
    assert sum(after["vakt_tls_handshakes_total"].values()) - sum(before["vakt_tls_handshakes_total"].values()) >= 5
    assert grew("vakt_packets_received_total", 'type="subscribe"') == 2
    assert grew("vakt_packets_sent_total", 'type="puback"') == grew("vakt_publish_received_total", 'qos="1"')
    assert grew("vakt_publish_ack_seconds_count") == 14 and grew("vakt_publish_ack_seconds_sum") >= 0
    assert grew("vakt_connect_seconds_count") == 4
    assert grew("vakt_store_commit_seconds_count") == grew("vakt_store_commits_total") > 0
    assert after["vakt_queue_messages"][""] >= 5 and after["vakt_store_state"]['state="ok"'] == 1


def test_histograms_are_cumulative_and_agree_with_their_counts(broker):
    found = scrape(broker)
    for name in ("vakt_publish_ack_seconds", "vakt_connect_seconds", "vakt_store_commit_seconds", "vakt_tls_handshake_seconds",
                 "vakt_password_hash_seconds", "vakt_loop_turn_seconds"):
        cells = list(found[f"{name}_bucket"].values())
        assert cells == sorted(cells) and cells[-1] == found[f"{name}_count"][""]


def test_logins_by_method_and_result(broker):
    """Over MQTT and over HTTPS; a right password that is known is not hashed again."""
    before = scrape(broker)
    with Wire(broker):
        pass
    Wire(broker, password="never this one", expect=0x86).expect_close()
    Wire(broker, user=None, expect=0x87).expect_close()
    assert get(broker, certificate="reader")[0].status == 200
    after = scrape(broker)
    grown = {labels: value - before["vakt_logins_total"][labels] for labels, value in after["vakt_logins_total"].items()}
    assert {labels: value for labels, value in grown.items() if value} == {
        'method="password",result="accepted"': 1, 'method="password",result="refused"': 1, 'method="anonymous",result="refused"': 1,
        'method="certificate",result="accepted"': 1}
    assert after["vakt_password_hash_seconds_count"][""] - before["vakt_password_hash_seconds_count"][""] in (1, 2)
    assert after["vakt_password_hash_seconds_sum"][""] > before["vakt_password_hash_seconds_sum"][""]


def test_each_handshake_and_turn_has_its_time(broker):
    with Wire(broker):
        found = scrape(broker)
    handshakes = sum(found["vakt_tls_handshakes_total"].values())
    assert found["vakt_tls_handshake_seconds_count"][""] == handshakes and 0 < found["vakt_tls_handshake_seconds_sum"][""]
    assert found["vakt_loop_turn_seconds_count"][""] > handshakes


def test_bytes_by_type_are_all_bytes(new_broker):
    """Whole packets alone were sent and received: each byte has a type, and $SYS has the same sums."""
    broker = new_broker(acl=ACL, users={"anna": ["all", "figures"]})
    broker.write_file("token", TOKEN + "\n")
    broker.config["listeners"].append(https(token_file="token"))
    broker.write()
    with broker, Wire(broker, client_id="one") as one, Wire(broker, 4, client_id="two") as two:
        one.subscribe("t/#", qos=2)
        for qos in (0, 1, 2):
            two.publish(f"t/{qos}", b"x" * 1000, qos=qos)
            assert one.message().qos == qos
        assert two.publish("t/aliased", b"y" * 70000, qos=1) is not None and one.message().topic == "t/aliased"
        one.settle()
        two.settle()
        found = scrape(broker)
        received, sent = found["vakt_packet_receive_bytes_total"], found["vakt_packet_transmit_bytes_total"]
        assert sum(received.values()) == found["vakt_network_receive_bytes_total"][""]
        assert sum(sent.values()) == found["vakt_network_transmit_bytes_total"][""]
        assert received['type="publish"'] > 73000 and sent['type="publish"'] > 73000 and sent['type="connack"'] > 8
        assert sent['type="pingresp"'] == received['type="pingreq"'] == 4
        two.subscribe("$SYS/broker/bytes/received")
        while int(two.message().payload) < found["vakt_network_receive_bytes_total"][""]:
            pass


def test_lines_that_are_left_out(broker):
    before = scrape(broker)["vakt_log_suppressed_total"]
    with Wire(broker, client_id="repeats") as client:
        for _ in range(5):
            client.publish("secret/2", b"x", qos=1)
    after = scrape(broker)["vakt_log_suppressed_total"]
    assert after['event="publish-denied"'] - before['event="publish-denied"'] == 4
    assert after['event="subscribe-denied"'] == before['event="subscribe-denied"']


def test_paused_publishers(new_broker):
    """One that sends too fast counts while it is paused, and not after another has taken its session over meanwhile."""
    broker = new_broker(acl=ACL, config={"limits": {"message_rate": 1}})
    broker.write_file("token", TOKEN + "\n")
    broker.config["listeners"].append(https(token_file="token"))
    broker.write()

    def paused():
        return {why for why, number in scrape(broker)["vakt_paused_publishers"].items() if number}

    with broker, Wire(broker, client_id="fast") as client:
        assert not paused()
        client.send(b"".join(mqtt.publish(5, "t", b"x") for _ in range(60)))
        while not paused():
            pass
        assert paused() == {'why="message_rate"'}
        mark = broker.mark()
        with Wire(broker, client_id="fast"):
            broker.wait_log("client-disconnected", mark, client_id="fast")
            while paused():
                pass


def test_clients_by_listener_and_version_of_tls(broker):
    listener = broker.config["listeners"][0]["bind"]
    with Wire(broker):
        assert scrape(broker)["vakt_clients"][f'listener="{listener}",tls="1.3"'] == 1
    assert scrape(broker)["vakt_clients_connected"][""] >= 0


def test_they_are_those_of_sys(broker):
    """The same figures; $SYS has them a little later."""
    with Wire(broker) as client:
        client.publish("retained/sys", b"x", retain=True, qos=1)
        scraped = scrape(broker)
        client.subscribe("$SYS/broker/retained messages/count")
        client.subscribe("$SYS/broker/store/commits")
        retained = commits = 0
        while retained != scraped["vakt_retained_messages"][""] or commits < scraped["vakt_store_commits_total"][""]:
            message = client.message()
            if message.topic.endswith("count"):
                retained = int(message.payload)
            else:
                commits = int(message.payload)


LABELS = {"version", "openssl", "listener", "tls", "result", "reason", "resumed", "cause", "file", "type", "qos", "action", "le",
          "state", "kind", "where", "what", "method", "event", "why"}


def test_each_series_is_there_from_the_start_and_no_label_names_a_client(new_broker):
    broker = new_broker(acl=ACL)
    broker.write_file("token", TOKEN + "\n")
    broker.config["listeners"].append(https(token_file="token"))
    broker.write()
    with broker:
        first = scrape(broker)
        be_busy(broker)
        after = scrape(broker)
    assert {name: set(labels) for name, labels in first.items()} == {name: set(labels) for name, labels in after.items()}
    text = "\n".join(label for labels in after.values() for label in labels)
    assert set(re.findall(r'(\w+)="', text)) <= LABELS
    assert not re.search(r"busy|anna|elsewhere|queue/|secret", text)
    assert after["vakt_store_state"]['state="off"'] == 1


def test_expiry_and_reloads(broker):
    found = scrape(broker)
    ends = found["vakt_tls_certificate_expiry_timestamp_seconds"]
    assert all(time.time() < end < time.time() + 400 * 86400 for end in ends.values())
    assert any("server-ec.crt" in labels for labels in ends) and any("server-rsa.crt" in labels for labels in ends)
    before = found["vakt_config_reloads_total"]
    mark = broker.mark()
    acl = (broker.directory / "acl.yaml").read_text()
    broker.write_file("acl.yaml", "roles: [")
    broker.process.signal(1)
    broker.wait_log("reload-failed", mark)
    found = scrape(broker)
    assert found["vakt_config_reloads_total"]['result="failed"'] == before['result="failed"'] + 1
    assert found["vakt_config_last_reload_successful"][""] == 0
    mark = broker.mark()
    broker.write_file("acl.yaml", acl)
    broker.process.signal(1)
    broker.wait_log("reloaded", mark)
    found = scrape(broker)
    assert found["vakt_config_last_reload_successful"][""] == 1
    assert found["vakt_config_last_reload_timestamp_seconds"][""] > time.time() - 60
    assert found["process_open_fds"][""] > 5 and found["process_resident_memory_bytes"][""] > 1 << 20
    assert abs(found["process_start_time_seconds"][""] - time.time()) < 3600


# --- Prometheus, the board, the alerts ---

def board_queries():
    board = json.loads((MONITORING / "board.json").read_text())
    return [target["expr"].replace("$instance", ".+").replace("$__rate_interval", "1m")
            for panel in board["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def prometheus(broker, tmp_path_factory):
    """A real one, that scrapes the broker over TLS with its token."""
    directory, port = tmp_path_factory.mktemp("prometheus"), free_port()
    (directory / "prometheus.yml").write_text(f"""global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{MONITORING}/alerts.yml]
scrape_configs:
  - job_name: vakt
    scheme: https
    authorization: {{credentials: {TOKEN}}}
    tls_config: {{ca_file: {broker.pki.path("ca.crt")}, server_name: localhost}}
    static_configs: [{{targets: ["127.0.0.1:{broker.addresses[1][1]}"]}}]
""")
    server = LineProcess([PROMETHEUS, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
                          f"--web.listen-address=127.0.0.1:{port}"])

    def query(expression):
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]["result"]

    try:
        server.wait_line("Server is ready")
        yield query
    finally:
        server.kill()


def wait_for(query, expression):
    end = time.monotonic() + TIMEOUT_S
    while not (found := query(expression)):
        assert time.monotonic() < end, expression
        time.sleep(0.2)
    return found


@needs_prometheus
def test_prometheus_scrapes_it_and_the_board_finds_what_it_shows(broker, prometheus):
    wait_for(prometheus, 'up{job="vakt"} == 1')
    be_busy(broker)
    wait_for(prometheus, "rate(vakt_publish_received_total[1m]) > 0")
    missing = [query for query in board_queries() if not prometheus(query)]
    # What a PKI without a revocation list does not have, and quantiles of nothing.
    assert all("vakt_crl_expiry" in query for query in missing), missing
    names = {name for query in board_queries() for name in re.findall(r"\b(?:vakt|process)_\w+", query)}
    assert all(prometheus(f"{name} or absent({name})") for name in names)
    assert prometheus('ALERTS{alertname="VaktDown"}') == []


@needs_prometheus
def test_the_alerts_are_sound():
    for words in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run([PROMTOOL, *words], cwd=MONITORING, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_ask_for_what_there_is(broker):
    names = set(re.findall(r"\b(?:vakt|process)_\w+", (MONITORING / "alerts.yml").read_text()))
    assert names <= set(scrape(broker)) | {"vakt_crl_expiry_timestamp_seconds"} and len(names) > 10
