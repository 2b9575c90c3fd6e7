"""S9: the broker gives up what it does not need. (What it cannot do any more: tests/unit/sandbox. That all else goes on is what
every other scenario shows, for the sandbox is on in all of them.)"""

import ctypes
import errno
import subprocess
from pathlib import Path

import pytest
from broker_fixture import BROKER
from wire import Wire

SCMP_ACT_ALLOW = 0x7FFF0000
SCMP_ACT_ERRNO = 0x00050000


def status(task):
    return dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)


def threads(broker):
    return [status(task) for task in Path(f"/proc/{broker.process.child.pid}/task").iterdir()]


def no_seccomp():
    """As on a kernel without it."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    rules = library.seccomp_init(SCMP_ACT_ALLOW)
    number = library.seccomp_syscall_resolve_name(b"seccomp")
    assert library.seccomp_rule_add(rules, SCMP_ACT_ERRNO | errno.ENOSYS, number, 0) == 0
    assert library.seccomp_load(rules) == 0


def test_all_threads_are_in_it(new_broker):
    with new_broker(config={"persistence": {"directory": "store"}, "log": {"audit": "audit.log"}}) as broker:
        broker.wait_log("sandbox-entered")
        found = threads(broker)
        assert len(found) >= 5
        assert {(one["Seccomp"], one["NoNewPrivs"]) for one in found} == {("2", "1")}
        with Wire(broker) as client:
            client.publish("a", b"x", qos=1, retain=True)


def test_it_can_be_switched_off(new_broker):
    with new_broker(config={"sandbox": "off"}) as broker:
        assert {one["Seccomp"] for one in threads(broker)} == {"0"}
        assert not broker.logged("sandbox-entered") and not broker.logged("sandbox-missing")


@pytest.mark.parametrize("value, said", [("on", "Sandbox: on\n"), ("off", "Sandbox: off\n")])
def test_check_says_what_will_be_in_force(new_broker, value, said):
    done = new_broker(config={"sandbox": value}).command("--check")
    assert done.returncode == 0 and said in done.stdout


def test_without_seccomp_it_is_warned_of(new_broker):
    broker = new_broker()
    done = subprocess.run([BROKER, "--check", "-c", "broker.yaml"], cwd=broker.directory, env=broker.environment, text=True,
                          capture_output=True, preexec_fn=no_seccomp, check=False, timeout=60)
    assert done.returncode == 0 and "Sandbox: not in force: this kernel has no seccomp" in done.stdout
    process = subprocess.Popen([BROKER, "-c", "broker.yaml"], cwd=broker.directory, env=broker.environment, text=True,
                               stderr=subprocess.PIPE, preexec_fn=no_seccomp)
    try:
        lines = []
        while not lines or "event=ready" not in lines[-1]:
            lines.append(process.stderr.readline())
            assert lines[-1]
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert any("event=sandbox-missing" in line and "this kernel has no seccomp" in line for line in lines)
