"""What an administrator sees: --check, --dump, --version, and a start that is refused with reasons."""

import re
import subprocess

import pytest
from broker_fixture import BROKER

PLACE = re.compile(r"^\S*broker\.yaml:(\d+):(\d+): ", re.M)

GOOD = """listeners:
  - bind: "127.0.0.1:18883"
tls:
  certificates:
    - {{ certificate: "{pki}/server-ec.crt", key: "{pki}/server-ec.key" }}
authentication:
  password_file: users.passwd
authorization:
  acl_file: acl.yaml
"""


@pytest.fixture
def broker(new_broker):
    return new_broker()


def write(broker, text):
    broker.write_file("broker.yaml", text.format(pki=broker.pki.directory))


def test_version():
    done = subprocess.run([BROKER, "--version"], capture_output=True, text=True, check=True)
    assert re.search(r"\b0\.1\.0\b", done.stdout)


def test_wrong_use():
    for arguments in ([], ["--nonsense"], ["-c"], ["-c", "/nowhere/broker.yaml"]):
        done = subprocess.run([BROKER, *arguments], capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 2 and done.stderr


def test_check_says_who_can_come_in(broker):
    write(broker, GOOD)
    done = broker.command("--check")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "18883" in said and "anonymous: no" in said and "1 user" in said and "1 role" in said


@pytest.mark.parametrize("text, says", [
    ("", "nothing is stored (no persistence.directory)"),
    ("persistence: { directory: store }\n", "store: sessions, and each message before it is acknowledged"),
    ("persistence: { directory: store, durability: interval, interval: 2s }\n",
     "store: sessions, and messages within 2000 ms"),
    ("persistence: { directory: store, durability: none, topics: [{ filter: home/#, durability: ack }] }\n",
     "store: sessions, no messages; persistence.topics changes this for 1 filter"),
], ids=["off", "ack", "interval", "topics"])
def test_check_says_what_is_kept(broker, text, says):
    broker.write_file("broker.yaml", GOOD.format(pki=broker.pki.directory) + text)
    done = broker.command("--check")
    assert done.returncode == 0 and says + "\n" in done.stdout, done.stdout


def test_dump_shows_defaults_and_reads_back(broker):
    write(broker, GOOD)
    done = broker.command("--dump")
    assert done.returncode == 0
    for piece in ("receive_maximum: 1000", "max_packet_size: 2M", "anonymous: false"):
        assert piece in done.stdout
    broker.write_file("broker.yaml", done.stdout)
    again = broker.command("--dump")
    assert again.returncode == 0 and again.stdout == done.stdout


def test_every_mistake_at_once(broker):
    write(broker, GOOD + """limits:
  recieve_maximum: 20
  max_qos: 3
  max_packet_size: 2X
worker: 4
log: {{ level: chatty }}
""")
    done = broker.command("--check")
    said = done.stdout + done.stderr
    assert done.returncode == 2
    lines = {int(line) for line, _ in PLACE.findall(said)}
    assert {11, 12, 13, 14, 15} <= lines, said
    assert "receive_maximum" in said and "workers" in said  # the nearest known ones


@pytest.mark.parametrize("mistake, line", [
    ("persistence: &anchor\n  directory: x\nlog: *anchor\n", None),
    ("log: { level: info }\nlog: { level: debug }\n", 11),
    ("log: [info]\n", 10),
    ("log:\n\tlevel: info\n", None),
    ("a: " + "[" * 200 + "]" * 200 + "\n", None),
    ("limits: { queue_messages: -1 }\n", 10),
    ("limits: { queue_messages: 99999999999999999999 }\n", 10),
], ids=["alias", "duplicate", "kind", "tab", "depth", "negative", "huge"])
def test_yaml_that_is_refused(broker, mistake, line):
    broker.write_file("broker.yaml", GOOD.format(pki=broker.pki.directory) + mistake)
    done = broker.command("--check")
    said = done.stdout + done.stderr
    assert done.returncode == 2 and PLACE.search(said), said
    if line is not None:
        assert line in {int(found) for found, _ in PLACE.findall(said)}


def test_there_is_no_plaintext_listener(broker):
    write(broker, 'listeners:\n  - bind: "127.0.0.1:18883"\nauthentication: {{ anonymous: true }}\n')
    done = broker.command("--check")
    assert done.returncode == 2 and "certificate" in (done.stdout + done.stderr)
    write(broker, 'listeners:\n  - bind: "127.0.0.1:18883"\n    protocol: tcp\n')
    assert broker.command("--check").returncode == 2


@pytest.mark.parametrize("name, mode", [("server-ec.key", 0o604), ("users.passwd", 0o644), ("broker.yaml", 0o602),
                                        ("acl.yaml", 0o666)])
def test_files_that_others_may_read_or_write(broker, name, mode):
    for key in ("crt", "key"):
        broker.write_file(f"server-ec.{key}", broker.pki.path(f"server-ec.{key}").read_text())
    broker.write_file("broker.yaml", GOOD.format(pki="."))
    assert broker.command("--check").returncode == 0
    (broker.directory / name).chmod(mode)
    for options in (["--check"], []):
        done = broker.command(*options)
        said = done.stdout + done.stderr
        assert done.returncode == 2 and name in said and "chmod" in said, said


@pytest.mark.parametrize("options", [["--check"], []], ids=["check", "start"])
def test_a_store_that_others_may_write(broker, options):
    write(broker, GOOD + "persistence: {{ directory: store }}\n")
    assert broker.command("--check").returncode == 0  # it is made by the start
    assert not (broker.directory / "store").exists()
    (broker.directory / "store").mkdir()
    (broker.directory / "store").chmod(0o702)
    done = broker.command(*options)
    assert done.returncode == 2 and "store: error: " in done.stderr and "chmod o-w" in done.stderr, done.stderr
    (broker.directory / "store").rmdir()
    broker.write_file("store", "")
    done = broker.command(*options)
    assert done.returncode == 2 and "not a directory" in done.stderr, done.stderr


def test_persistence_without_a_directory_is_a_warning(broker):
    write(broker, GOOD + "persistence: {{ durability: none }}\n")
    done = broker.command("--check")
    assert done.returncode == 0 and "broker.yaml:10:16: warning: durability does nothing" in done.stderr, done.stderr
    write(broker, GOOD + "persistence:\n  topics: [{{ filter: $share/g/a, durability: lazy }}]\n")
    done = broker.command("--check")
    assert done.returncode == 2 and done.stderr.count("broker.yaml:11:") == 3, done.stderr


def test_a_key_of_another_certificate(broker):
    text = GOOD.format(pki=broker.pki.directory)
    broker.write_file("broker.yaml", text.replace("server-ec.key", "server-rsa.key"))
    done = broker.command("--check")
    assert done.returncode == 2 and "server-rsa.key" in done.stdout + done.stderr


def test_a_small_key(broker, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:1024", "-noenc", "-subj", "/CN=small", "-days", "30",
                    "-keyout", "small.key", "-out", "small.crt"], cwd=broker.directory, check=True, capture_output=True)
    (broker.directory / "small.key").chmod(0o600)
    text = GOOD.format(pki=broker.pki.directory)
    text = re.sub(r"certificate: \S+ key: \S+", "certificate: small.crt, key: small.key", text)
    broker.write_file("broker.yaml", text)
    done = broker.command("--check")
    assert done.returncode == 2 and "small" in done.stdout + done.stderr


def test_missing_files(broker):
    write(broker, GOOD.replace("users.passwd", "nowhere.passwd").replace("server-ec.crt", "nowhere.crt"))
    done = broker.command("--check")
    said = done.stdout + done.stderr
    assert done.returncode == 2 and "nowhere.passwd" in said and "nowhere.crt" in said


@pytest.mark.parametrize("rule, word", [
    ("allow publish", "filter"), ("allow publish a/#/b", "a/#/b"), ("permit publish a", "permit"),
    ("allow publish a %x", ""), ("allow subscribe a retain=no", "retain"), ("deny publish a own", "own"),
    ("allow publish a color=red", "color"),
])
def test_mistakes_in_rules(broker, rule, word):
    write(broker, GOOD)
    broker.write_file("acl.yaml", f"roles:\n  all:\n    - allow all '#'\n    - {rule}\n")
    done = broker.command("--check")
    said = done.stdout + done.stderr
    assert done.returncode == 2 and "acl.yaml:4:" in said and word in said, said


def test_policy_tests_decide(broker):
    write(broker, GOOD)
    tests = 'tests:\n  - { user: anna, publish: home/x, expect: deny }\n'
    broker.write_file("acl.yaml", 'roles:\n  all: ["allow all #"]\n' + tests)
    done = broker.command("--check")
    assert done.returncode == 2 and "acl.yaml:4:" in done.stdout + done.stderr
    broker.write_file("acl.yaml", 'roles:\n  all: ["deny publish home/#", "allow all #"]\n' + tests)
    assert broker.command("--check").returncode == 0


def test_an_empty_acl_denies_everything(new_broker):
    from wire import Wire  # pylint: disable=import-outside-toplevel
    broker = new_broker()
    broker.write_file("acl.yaml", "")
    with broker, Wire(broker) as client:
        client.subscribe("x", expect=[0x87])
        assert client.publish("x", b"1", qos=1).reason == 0x87
