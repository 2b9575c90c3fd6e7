"""Sockets that a service manager has made (LISTEN_FDS): listeners take them by their address, and nothing else changes."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from broker_fixture import BROKER, ENVIRONMENT, ROOT, free_port
from process import TIMEOUT_S, LineProcess
from wire import Wire

CTL = os.environ.get("VAKT_CTL", str(ROOT / "build/tools/broker-ctl"))
MANUAL, UNIT = ROOT / "man/vakt.7", ROOT / "debian/vakt.service"
FIRST_FD = 3
# As a service manager: the number of the process is that of the program.
AS_MANAGER = 'export LISTEN_PID=$$ LISTEN_FDS="$1" LISTEN_FDNAMES="$2"; shift 2; exec "$@"'


def listening(address, kind=socket.SOCK_STREAM):
    family = socket.AF_UNIX if isinstance(address, (str, Path)) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    made = socket.socket(family, kind)
    made.bind(str(address) if family == socket.AF_UNIX else address)
    if kind == socket.SOCK_STREAM:
        made.listen()
    return made


class Manager:
    """It keeps its sockets, whatever becomes of the broker."""

    def __init__(self, *sockets, names=""):
        self.sockets, self.names = sockets, names

    def pass_on(self):
        """In the child, before its program: the sockets are descriptors 3 and up."""
        kept = [os.dup(each.fileno()) for each in self.sockets]
        high = [os.dup2(fd, 500 + n) for n, fd in enumerate(kept)]
        for n, fd in enumerate(high):
            os.dup2(fd, FIRST_FD + n, inheritable=True)

    def command(self, *words):
        return ["/bin/sh", "-c", AS_MANAGER, "sh", str(len(self.sockets)), self.names, *words]

    def start(self, broker):
        """The broker's fixture starts it by this."""
        broker.process = PassingProcess(self, [BROKER, "-c", str(broker.directory / "broker.yaml")], broker.environment)
        try:
            broker.wait_log("ready", timeout_s=3 * TIMEOUT_S)
        except BaseException:
            broker.process.kill()
            raise
        return broker

    def check(self, broker, *options):
        done = subprocess.run(self.command(BROKER, *options, "-c", str(broker.directory / "broker.yaml")), env=broker.environment, text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, close_fds=False,
                              preexec_fn=self.pass_on)
        return done.returncode, done.stdout + done.stderr

    def close(self):
        for each in self.sockets:
            each.close()


class PassingProcess(LineProcess):
    def __init__(self, manager, command, environment):
        super().__init__(manager.command(*command), env=environment, stdin=subprocess.DEVNULL, preexec_fn=manager.pass_on, close_fds=False)


@pytest.fixture
def sockets(tmp_path):
    """A function that makes one; all are closed at the end."""
    made = []

    def make(address, **options):
        made.append(listening(address, **options))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture
def broker(new_broker):
    broker = new_broker(config={"workers": 2, "control": {"socket": "control.sock"}})
    yield broker
    if broker.process is not None:
        broker.process.kill()


def stop(broker):
    process, broker.process = broker.process, None
    process.signal(signal.SIGTERM)
    assert process.wait(3 * TIMEOUT_S) == 0, "\n".join(process.lines)
    assert not any("Sanitizer" in line or "runtime error" in line for line in process.lines)


def use(broker, number=6, **options):
    """Several connections, which more than one worker gets."""
    for _ in range(number):
        with Wire(broker, **options) as client:
            client.settle()


def test_listener_takes_the_socket_of_its_address(broker, sockets):
    """Also the port would be in use otherwise. The socket outlives the broker: who connects meanwhile waits."""
    manager = Manager(sockets(("127.0.0.1", broker.port)), names="vakt.socket")
    status, said = manager.check(broker, "--check")
    assert status == 0 and "in use" not in said and "service manager" not in said, said
    manager.start(broker)
    assert [line["bind"] for line in broker.logged("socket-inherited")] == [f"127.0.0.1:{broker.port}"]
    use(broker)
    stop(broker)
    waiting = socket.create_connection(("127.0.0.1", broker.port), timeout=TIMEOUT_S)
    manager.start(broker)
    use(broker)
    waiting.close()
    stop(broker)


@pytest.mark.parametrize(("bind", "passed", "takes"), [
    ("[::]", "::", True), ("[::1]", "::1", True), ("0.0.0.0", "0.0.0.0", True), ("127.0.0.1", "127.0.0.2", False), ("127.0.0.1", "::1", False),
])
def test_addresses_are_compared_whole(broker, sockets, bind, passed, takes):
    """The port alone is not enough."""
    port = free_port()
    broker.config["listeners"][0]["bind"] = f"{bind}:{port}"
    broker.write()
    manager = Manager(sockets((passed, port)))
    status, said = manager.check(broker, "--check")
    assert status == 0 and ("no listener has this address" in said) != takes and "in use" not in said, said
    manager.start(broker)
    assert len(broker.logged("socket-inherited")) == takes
    stop(broker)


def test_reload_gives_the_socket_back_and_takes_it_again(broker, sockets):
    broker.config["listeners"].append({"bind": f"127.0.0.1:{free_port()}"})
    broker.write()
    Manager(sockets(("127.0.0.1", broker.port)), names="vakt.socket").start(broker)
    listeners = broker.config["listeners"]

    def reload(new):
        broker.config["listeners"] = new
        broker.write()
        mark = broker.mark()
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded", mark)
        return mark
    mark = reload(listeners[1:])
    warned = broker.wait_log("config-warning", mark)["warning"]
    assert f"127.0.0.1:{broker.port} (vakt.socket), and no listener has this address" in warned
    mark = reload(listeners)
    assert broker.wait_log("socket-inherited", mark)["bind"] == f"127.0.0.1:{broker.port}"
    use(broker)
    stop(broker)


def test_unix_sockets_stay_the_manager_s(broker, sockets, tmp_path):
    path, control = tmp_path / "broker.sock", broker.directory / "control.sock"
    broker.config["listeners"].append({"bind": f"unix:{path}", "mode": "0600"})
    broker.write()
    made = [sockets(path), sockets(control)]
    path.chmod(0o666)
    control.chmod(0o600)
    manager = Manager(*made, names="vakt.socket:vakt-control.socket")
    status, said = manager.check(broker, "--check")
    assert status == 0 and "has mode 0666, which lets more users connect than mode 0600" in said and "SocketMode=0600" in said, said
    path.chmod(0o600)
    status, said = manager.check(broker, "--check")
    assert status == 0 and "service manager" not in said, said
    inodes = [each.stat().st_ino for each in (path, control)]
    for _ in range(2):
        manager.start(broker)
        assert len(broker.logged("socket-inherited")) == 2
        use(broker, listener=1)
        done = subprocess.run([CTL, "-c", str(broker.directory / "broker.yaml"), "status"],
                              env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
        assert done.returncode == 0, done
        mark = broker.mark()
        broker.process.signal(signal.SIGHUP)
        broker.wait_log("reloaded", mark)
        stop(broker)
        assert [each.stat().st_ino for each in (path, control)] == inodes
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []


def test_check_without_the_manager(broker, sockets, tmp_path):
    """Its socket is in a directory where the broker makes no files, as /run is: --check by hand is no error."""
    place = tmp_path / "run"
    place.mkdir()
    sockets(place / "broker.sock")
    place.chmod(0o555)
    broker.config["listeners"].append({"bind": f"unix:{place}/broker.sock"})
    broker.write()
    command = [*WITHOUT_RIGHTS, BROKER, "--check", "-c", str(broker.directory / "broker.yaml")]
    for there in (True, False):
        done = subprocess.run(command, env=broker.environment, text=True, capture_output=True, check=False, timeout=TIMEOUT_S)
        assert (done.returncode == 0) == there and ("where the service manager passes the one that is there" in done.stderr) == there, done
        assert ("cannot make the socket" in done.stderr) != there, done
        place.chmod(0o755)
        (place / "broker.sock").unlink(missing_ok=True)
        place.chmod(0o555)


def test_what_no_listener_can_use_is_named(broker, sockets):
    port = free_port()
    broker.config["listeners"][0]["bind"] = f"127.0.0.1:{port}"
    broker.write()
    other, datagrams = sockets(("::1", broker.port)), sockets(("127.0.0.1", free_port()), kind=socket.SOCK_DGRAM)
    status, said = Manager(other, datagrams, names="a.socket:b.socket").check(broker, "--check")
    assert status == 0, said
    assert f"listens at [::1]:{broker.port} (a.socket), and no listener has this address" in said
    assert "descriptor 4 (b.socket), which does not listen for streams: it is not used" in said


@pytest.mark.parametrize("variables", [{"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_FDS": "1"}, {"LISTEN_PID": "$$", "LISTEN_FDS": "x1"}])
def test_variables_of_others_mean_nothing(broker, sockets, variables):
    """They were inherited from a parent whom they were meant for: descriptor 3 may be anything."""
    manager = Manager(sockets(("127.0.0.1", broker.port)))
    exports = " ".join(f"{name}={value}" for name, value in variables.items())
    manager.command = lambda *words: ["/bin/sh", "-c", f'export {exports}; exec "$@"', "sh", *words]
    status, said = manager.check(broker, "--check")
    assert status == 0 and "in use by another program" in said, said


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_the_manual_s_units_are_what_systemd_knows(tmp_path):
    """vakt(7): the socket unit, and what is added to the service."""
    section = re.search(r"^\.Ss Sockets of systemd$(.*?)^\.Ss ", MANUAL.read_text(encoding="utf-8"), re.M | re.S).group(1)
    unit, addition = re.findall(r"^\.Bd[^\n]*\n(.*?)^\.Ed$", section, re.M | re.S)
    service = UNIT.read_text(encoding="utf-8").replace("/usr/sbin/broker ", BROKER + " ").replace("/usr/bin/broker-ctl", CTL)
    (tmp_path / "vakt.service.d").mkdir()
    for name, text in {"vakt.socket": unit, "vakt.service.d/override.conf": addition, "vakt.service": service}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(tmp_path / "vakt.socket"), str(tmp_path / "vakt.service")], text=True,
                          capture_output=True, check=False, timeout=6 * TIMEOUT_S, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    said = [line for line in done.stderr.splitlines() if "vakt" in line or str(tmp_path) in line]
    assert done.returncode == 0 and not said, done


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="systemd-socket-activate is not here")
def test_systemd_s_own_way(broker):
    """It waits for the first connection, and starts the broker then."""
    words = ["systemd-socket-activate", "-l", f"127.0.0.1:{broker.port}", *(f"--setenv={name}" for name in broker.environment), BROKER, "-c",
             str(broker.directory / "broker.yaml")]
    broker.process = LineProcess(words, env=broker.environment, stdin=subprocess.DEVNULL)
    broker.process.wait_line(re.compile(r"Listening on ").search)
    first = socket.create_connection(("127.0.0.1", broker.port), timeout=TIMEOUT_S)
    broker.wait_log("ready", timeout_s=3 * TIMEOUT_S)
    first.close()
    assert len(broker.logged("socket-inherited")) == 1
    use(broker)
    stop(broker)
