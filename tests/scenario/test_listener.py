"""Where the broker listens: Unix sockets, ports in use, and what happens when descriptors run out."""

import grp
import os
import resource
import signal
import socket
import stat
import subprocess
import time

import pytest
from broker_fixture import BROKER, free_port
from wire import Closed, Wire


def unix_broker(new_broker, tmp_path, **listener):
    broker = new_broker()
    path = tmp_path / "broker.sock"
    broker.config["listeners"].append({"bind": f"unix:{path}", **listener})
    broker.write()
    return broker, path


@pytest.fixture
def short_path(tmp_path_factory):
    """A Unix socket's path is short."""
    path = tmp_path_factory.mktemp("s")
    path.chmod(0o755)
    return path


def test_unix_socket(new_broker, short_path):
    group = grp.getgrgid(os.getgid()).gr_name
    broker, path = unix_broker(new_broker, short_path, mode="0620", group=group)
    with broker:
        found = path.stat()
        assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o620 and found.st_gid == os.getgid()
        with Wire(broker, listener=1) as local, Wire(broker) as remote:
            local.subscribe("t/x")
            remote.publish("t/x", b"1", qos=1)
            assert local.message().payload == b"1"
        Wire(broker, listener=1, password="wrong", expect=0x86).expect_close()
        Wire(broker, listener=1, user=None, expect=0x87).expect_close()
    assert not path.exists()


def test_a_reload_changes_who_may_connect_to_a_unix_socket(new_broker, short_path):
    broker, path = unix_broker(new_broker, short_path, mode="0666")
    with broker:
        broker.config["listeners"][1]["mode"] = "0600"
        broker.write()
        mark = broker.mark()
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded", mark)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_socket_left_behind_is_replaced(new_broker, short_path):
    broker, path = unix_broker(new_broker, short_path)
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    with broker, Wire(broker, listener=1) as client:
        client.settle()


def test_a_file_in_the_way_is_not_removed(new_broker, short_path):
    broker, path = unix_broker(new_broker, short_path)
    path.write_text("precious")
    done = subprocess.run([BROKER, "-c", str(broker.directory / "broker.yaml")], env=broker.environment, text=True,
                          capture_output=True, check=False, timeout=20)
    assert done.returncode in (1, 2) and str(path) in done.stderr
    assert path.read_text() == "precious"


def test_a_directory_that_others_may_write_is_refused(new_broker, short_path):
    short_path.chmod(0o777)
    broker, path = unix_broker(new_broker, short_path)
    for options in (["--check"], []):
        done = broker.command(*options)
        assert done.returncode == 2 and str(path.parent) in done.stdout + done.stderr


def test_a_port_that_is_taken(new_broker):
    """Also by another broker of the same user, which SO_REUSEPORT alone would let happen."""
    with new_broker() as first:
        second = new_broker(config={"listeners": first.config["listeners"]})
        done = second.command()
        assert done.returncode in (1, 2)
        assert f"port {first.port} is in use" in done.stderr
        with Wire(first) as client:
            client.settle()


def test_two_listeners_with_their_own_rules(new_broker):
    broker = new_broker(config={"authentication": {"anonymous": True}},
                      acl={"roles": {"all": ["allow all #"]}, "anonymous": {"rules": ["allow all home/#"]}})
    broker.config["listeners"].append({"bind": f"127.0.0.1:{free_port()}", "authentication": {"anonymous": False},
                                      "limits": {"max_packet_size": "32k", "max_connect_size": "16k"}})
    broker.write()
    with broker:
        with Wire(broker, user=None) as client:
            assert client.connack.props["maximum_packet_size"] == 2 * 1024 * 1024
        Wire(broker, user=None, listener=1, expect=0x87).expect_close()
        with Wire(broker, listener=1) as client:
            assert client.connack.props["maximum_packet_size"] == 32 * 1024


def test_more_connections_than_allowed(new_broker):
    with new_broker(config={"limits": {"connections": 3}}) as broker:
        kept = [Wire(broker) for _ in range(3)]
        with pytest.raises((Closed, OSError, AssertionError)):
            Wire(broker)
        for client in kept:
            client.settle()
        kept.pop().disconnect()
        for attempt in range(50):
            try:
                Wire(broker).close()
                break
            except (Closed, OSError, AssertionError):
                assert attempt < 49
                time.sleep(0.02)
        for client in kept:
            client.close()


def test_after_a_long_silence(new_broker):
    """The time of a new connection counts from its beginning, not from when the loop last ran."""
    with new_broker(config={"limits": {"connect_timeout": "1s"}}) as broker:
        time.sleep(1.5)  # the silence is part of the test
        with Wire(broker) as client:
            client.settle()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def test_out_of_descriptors(new_broker):
    """The listener pauses and recovers, connected clients are not affected, and the broker does not spin."""
    with new_broker(limit=few_descriptors, config={"limits": {"connect_timeout": "30s"}}) as broker:
        with Wire(broker) as inside:
            inside.subscribe("t/x")
            mark = broker.mark()
            crowd = [socket.create_connection(broker.addresses[0], timeout=20) for _ in range(80)]
            broker.wait_log("accept-paused", mark)
            before, until = cpu_seconds(broker.process.pid), time.monotonic() + 1
            while time.monotonic() < until:  # a second in which the broker should only serve clients
                inside.publish("t/x", b"served", qos=1)
                assert inside.message().payload == b"served"
                time.sleep(0.1)
            assert cpu_seconds(broker.process.pid) - before < 0.5
            for one in crowd:
                one.close()
            broker.wait_log("accept-resumed", mark)
            with Wire(broker) as late:
                late.settle()
