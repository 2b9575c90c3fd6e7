"""The chained audit (issue 19, point 6): what real clients do is in it, and broker-audit finds what was done to it."""

import json
import os
import resource
import signal
import stat
import subprocess

import pytest
from broker_fixture import ROOT
from clients import MosquittoSub, Paho, mosquitto_pub
from process import TIMEOUT_S

AUDIT = os.environ.get("VAKT_AUDIT", str(ROOT / "build/tools/broker-audit"))
CONFIG = {"audit": {"file": "audit.jsonl", "key": "audit.key"}}
ACL = {"roles": {"all": ["allow all house/#", "allow subscribe $SYS/#"]}}


def audit_of(new_broker, **more):
    return new_broker(config=CONFIG, acl=ACL, **more)


def tool(*words):
    return subprocess.run([AUDIT, *map(str, words)], capture_output=True, text=True, check=False, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)


def verify(broker, *names, head=None):
    paths = [broker.directory / name for name in names or ("audit.jsonl",)]
    return tool("verify", "--key", broker.directory / "audit.key", *(["--head", head] if head else []), *paths)


def lines_of(broker, name="audit.jsonl"):
    return [json.loads(line) for line in (broker.directory / name).read_text(encoding="utf-8").splitlines()]


def last_head(broker, mark=0):
    return broker.logged("audit-head", mark)[-1]["head"]


def run_clients(broker):
    assert mosquitto_pub(broker, "-t", "house/lamp", "-m", "on", "-q", "1", client_id="lamp").returncode == 0
    assert mosquitto_pub(broker, "-t", "house/lamp", "-m", "x", password="wrong", client_id="thief").returncode != 0
    mosquitto_pub(broker, "-t", "alarm/off", "-m", "secret payload", "-q", "1", client_id="lamp")
    with Paho(broker, client_id="phone"):
        pass


def recorded(new_broker):
    """A broker that has run and stopped. Returns it and its last head."""
    broker = audit_of(new_broker)
    broker.start()
    run_clients(broker)
    mark, process = broker.mark(), broker.process
    broker.stop()
    heads = [line for line in process.lines[mark:] if "event=audit-head" in line]
    return broker, heads[-1].split("head=")[1].split()[0].strip('"')


def test_what_clients_do_is_recorded(new_broker):
    broker, head = recorded(new_broker)
    lines = lines_of(broker)
    assert [line["audit_number"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[0]["event"] == "audit-opened" and lines[0]["cause"] == "new-file"
    assert {("client-connected", "lamp"), ("client-connected", "phone"), ("connect-refused", "thief"),
            ("publish-denied", "lamp")} <= {(line["event"], line.get("client_id")) for line in lines}
    assert lines[-1]["event"] == "stopped"
    assert "secret payload" not in (broker.directory / "audit.jsonl").read_text(encoding="utf-8")
    assert stat.S_IMODE((broker.directory / "audit.key").stat().st_mode) == 0o600
    done = verify(broker, head=head)
    assert done.returncode == 0 and f"intact: {len(lines)} lines in 1 files" in done.stdout, done


def test_log_and_sys_topics_publish_the_head(new_broker):
    broker = audit_of(new_broker)
    with broker, MosquittoSub(broker, "-t", "$SYS/broker/audit/head") as sub:
        head = sub.wait_line(lambda line: line.startswith("MESSAGE ")).split()[-1]
    assert verify(broker, head=head).returncode == 0
    assert lines_of(broker)[int(head.split(":")[0]) - 1]["audit_mac"] == head.split(":")[1]


def change(lines):
    return [*lines[:2], lines[2].replace(b"vakt", b"VAKT", 1).replace(b"level", b"Level", 1), *lines[3:]]


TAMPERINGS = {
    "changed": (change, ":3: this line does not follow"),
    "deleted": (lambda lines: [*lines[:2], *lines[3:]], ":3: this line does not follow"),
    "moved": (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], ":3: this line does not follow"),
    "repeated": (lambda lines: [*lines[:3], *lines[2:]], ":4: this line does not follow"),
    "first deleted": (lambda lines: lines[1:], ":1: this is not how an audit file begins"),
    "tail cut": (lambda lines: lines[:-1], "their end was cut"),
    "half of the last": (lambda lines: [*lines[:-1], lines[-1][:20]], "their end was cut"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found(new_broker, name):
    broker, head = recorded(new_broker)
    path = broker.directory / "audit.jsonl"
    tamper, said = TAMPERINGS[name]
    before = path.read_bytes()
    path.write_bytes(b"".join(tamper(before.splitlines(keepends=True))))
    assert path.read_bytes() != before
    done = verify(broker, head=head)
    assert done.returncode == 1 and said in done.stderr, done
    path.write_bytes(before)
    assert verify(broker, head=head).returncode == 0


def test_another_key_does_not_verify(new_broker):
    broker, _ = recorded(new_broker)
    assert tool("key", broker.directory / "other.key").returncode == 0
    done = tool("verify", "--key", broker.directory / "other.key", broker.directory / "audit.jsonl")
    assert done.returncode == 1 and "the key is another one" in done.stderr
    assert tool("key", broker.directory / "other.key").returncode == 2


def test_restart_and_rotation_keep_the_chain(new_broker):
    broker, _ = recorded(new_broker)
    path = broker.directory / "audit.jsonl"
    with broker:
        path.rename(path.with_suffix(".1"))
        mark = broker.mark()
        broker.process.signal(signal.SIGUSR1)
        assert mosquitto_pub(broker, "-t", "house/lamp", "-m", "on", client_id="after").returncode == 0
        broker.wait_log("audit-head", mark, file=str(path))
        process = broker.process
    head = [line for line in process.lines if "event=audit-head" in line][-1].split("head=")[1].split()[0].strip('"')
    old, new = lines_of(broker, "audit.1"), lines_of(broker)
    assert [line["cause"] for line in old if line["event"] == "audit-opened"] == ["new-file", "restart"]
    assert new[0]["cause"] == "new-file" and new[0]["audit_number"] == len(old) + 1
    assert {"after"} <= {line.get("client_id") for line in old + new}
    assert verify(broker, "audit.1", "audit.jsonl", head=head).returncode == 0
    assert "were not verified" in verify(broker, head=head).stdout
    for names in (("audit.jsonl", "audit.1"), ("audit.1", "audit.1")):
        done = verify(broker, *names)
        assert done.returncode == 1 and "does not follow the one before" in done.stderr
    (broker.directory / "audit.1").write_bytes(b"".join((broker.directory / "audit.1").read_bytes().splitlines(keepends=True)[:-1]))
    assert verify(broker, "audit.1", "audit.jsonl").returncode == 1


def test_crash_is_no_tampering(new_broker):
    broker = audit_of(new_broker)
    broker.start()
    run_clients(broker)
    broker.wait_log("client-connected", client_id="phone")
    head = last_head(broker)
    broker.crash()
    assert verify(broker, head=head).returncode == 0
    with (broker.directory / "audit.jsonl").open("ab") as file:
        file.write(b'{"time":"2026-12')  # as when the machine dies in the middle of a line
    done = verify(broker, head=head)
    assert done.returncode == 0 and "the last line is not finished (16 bytes)" in done.stdout
    with broker:
        pass
    assert [line["torn_bytes"] for line in lines_of(broker) if line.get("cause") == "restart"] == [16]
    assert verify(broker, head=head).returncode == 0


def test_full_disk_loses_lines_and_the_chain_says_how_many(new_broker):
    """A limit of file size stands for the disk."""
    broker = audit_of(new_broker, limit=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
    with broker:
        path, pid = broker.directory / "audit.jsonl", broker.process.child.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
        run_clients(broker)
        broker.wait_log("audit-failed", file=str(path))
        broker.wait_log("client-connected", client_id="phone")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        broker.wait_log("audit-resumed")
        lost = int(broker.wait_log("audit-lost")["lines"])
        assert lost > 0
    assert [line["lines"] for line in lines_of(broker) if line["event"] == "audit-lost"][0] == lost
    done = verify(broker)
    assert done.returncode == 0 and "and recorded that" in done.stdout, done


def test_search(new_broker):
    broker, _ = recorded(new_broker)
    path = broker.directory / "audit.jsonl"
    found = tool("search", "--topic", "alarm/#", "--since", "1h", "--output", "json", path)
    assert [(json.loads(line)["event"], json.loads(line)["client_id"]) for line in found.stdout.splitlines()] == [("publish-denied", "lamp")]
    assert "publish-denied client_id=lamp user=anna topic=alarm/off" in tool("search", "--topic", "alarm/off", path).stdout
    assert tool("search", "--topic", "house/#", path).stdout == ""
    assert len(tool("search", "--event", "client-connected", "--client-id", "phone", "--user", "anna", path).stdout.splitlines()) == 1
    assert tool("search", "--user", "nobody", path).stdout == "" and tool("search", "--since", "2999", path).stdout == ""
    assert tool("tail", "--lines", "1", path).stdout.split()[1] == "stopped"
    for wrong in (("search", "--since", "soon", path), ("tail", "--lines", "0", path), ("search", path.with_name("none"))):
        assert tool(*wrong).returncode == 2


def without_key(broker):
    (broker.directory / "audit.key").unlink()


def with_open_key(broker):
    (broker.directory / "audit.key").chmod(0o644)


def with_other_file(broker):
    (broker.directory / "audit.jsonl").write_text("something else\n")


@pytest.mark.parametrize("spoil, said", [(without_key, "put the key back"), (with_open_key, "audit.key"),
                                         (with_other_file, "does not end with a line of the audit")])
def test_start_is_refused(new_broker, spoil, said):
    broker, _ = recorded(new_broker)
    spoil(broker)
    before = (broker.directory / "audit.jsonl").read_bytes()
    done = broker.command()
    assert done.returncode == 2 and said in done.stderr, done
    assert (broker.directory / "audit.jsonl").read_bytes() == before


@pytest.mark.parametrize("key", ["file", "key"])
def test_check_wants_both_keys(new_broker, key):
    done = new_broker(config={"audit": {key: "x"}}).command("--check")
    assert done.returncode == 2 and "audit: both file and key are needed" in done.stderr
