"""vakt-setup: from nothing to a broker that the programs of a house log in to; a second run adds, and changes nothing else."""

import hashlib
import os
import pty
import re
import select
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from broker_fixture import BROKER, ENVIRONMENT, PASSWD, ROOT, BrokerFixture, free_port
from private_pki import PKI
from process import TIMEOUT_S
from wire import Closed, Wire, tls_context

SETUP = ROOT / "tools/setup/vakt-setup"
ACL = os.environ.get("VAKT_ACL", str(ROOT / "build/tools/broker-acl"))
SUB = os.environ.get("VAKT_SUB", str(ROOT / "build/tools/broker-sub"))
PLACES = ":".join(str(Path(program).parent) for program in (BROKER, PASSWD, PKI, ACL, SUB))
FIRST = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "debian/first").glob("*.yaml")}
SHOWN = r"\b([a-z0-9]{24})\b"  # a password that was made


class Site(BrokerFixture):
    """What vakt-setup makes, as a broker that tests start. Passwords are those that it printed."""

    TEMPLATES, ENTER = ROOT / "acl/templates", SETUP.parent / "enter"

    def __init__(self, directory):  # pylint: disable=super-init-not-called
        self.directory, self.port = Path(directory), free_port()
        self.environment = {**ENVIRONMENT, "PATH": f"{PLACES}:{os.environ['PATH']}"}
        self.limit = self.process = None
        self.config = {"listeners": [{"bind": f"127.0.0.1:{self.port}"}]}
        self.pki, self.passwords, self.said = self, {}, ""

    def path(self, name):
        """As of a fixture's PKI: the certificate of who signs for servers, or of a client."""
        return self.directory / "pki" / ("server-ca.crt" if name == "ca.crt" else f"issued/client-{name}")

    def password(self, user):
        return self.passwords[user]

    def call(self, *options):
        return subprocess.run([SETUP, "-c", self.directory / "broker.yaml", "--port", str(self.port), *options], text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL, env=self.environment,
                              timeout=6 * TIMEOUT_S)

    def setup(self, *options):
        done = self.call(*options)
        assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
        self.said = done.stdout
        for block in re.split(r"\n\n|(?=^== )", done.stdout, flags=re.M):
            user = re.match(r".*?(?:: the user|The administrator) (\S+)\n", block, re.S)
            if user and (shown := re.search(SHOWN, block.replace(user[1], ""))):
                self.passwords[user[1]] = shown[1]
        return self

    def refuse(self, *options):
        done = self.call(*options)
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stderr

    def users(self):
        """{name: set of roles}"""
        rows = [line.split() for line in self.passwd("list").stdout.splitlines()[1:]]
        return {row[0]: set(row[-1].split(",")) for row in rows}

    def block(self, user):
        """What is to be entered for a user."""
        return re.search(rf"^.*(?:the user|administrator) {re.escape(user)}\n((?:  .*\n)+)", self.said, re.M)[1]

    def snapshot(self):
        return {str(path.relative_to(self.directory)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in self.directory.rglob("*") if path.is_file() and "store" not in path.parts}


@pytest.fixture
def site(tmp_path):
    tmp_path.chmod(0o700)
    return Site(tmp_path)


def table():
    """The rows of the table of programs."""
    lines = (SETUP.parent / "programs").read_text(encoding="utf-8").splitlines()
    return [line.split("|") for line in lines if not line.startswith("#")]


def everything():
    """Options that set up each program."""
    return [word for row in table() for word in ("--program", row[0] if row[2] != "*" else f"{row[0]}={row[0]}-1,{row[0]}-2")]


def test_from_nothing_to_clients(site):
    site.setup("--admin", "owner", "--program", "sensor=porch", "--program", "home-assistant", "--name", "localhost")
    for secret in ("users.passwd", "pki/server-ca.key", "pki/client-ca.key", "pki/issued/server-ec.key", "acl.yaml", "broker.yaml"):
        assert stat.S_IMODE((site.directory / secret).stat().st_mode) == 0o600, secret
    with site, Wire(site, user="owner") as owner, Wire(site, user="homeassistant") as head, Wire(site, user="porch") as porch:
        owner.subscribe("#", "$SYS/broker/version")
        head.subscribe("home/+/state/#")
        porch.subscribe("home/porch/command/#")
        porch.publish("home/porch/state/on", b"1", qos=1, retain=True)
        assert head.message().payload == b"1"
        head.publish("home/porch/command/on", b"0", qos=1)
        assert porch.message().payload == b"0"
        assert [found for found in (owner.message(), owner.message(), owner.message()) if found.topic.startswith("home/")]
        assert porch.publish("home/cellar/state/on", b"1", qos=1).reason == 0x87
    with site, pytest.raises((AssertionError, Closed)):
        Wire(site, user="porch", password="x" * 24)


def test_the_second_run_changes_nothing(site):
    options = ["--admin", "owner", "--name", "localhost", *everything()]
    site.setup(*options)
    before, passwords = site.snapshot(), dict(site.passwords)
    site.setup(*options)
    assert site.snapshot() == before and site.passwords == passwords
    assert "adding" not in site.said and "the password that was shown" in site.block("frigate")
    assert not [name for name in before if Path(name).name.startswith(".")]


def test_every_program_gets_its_roles_and_its_words(site):
    """Nothing is left to fill in, and what broker-pki says is there."""
    site.setup("--admin", "owner", "--name", "localhost", *everything())
    users = site.users()
    heads = {row[6] for row in table() if row[6]}
    for row in table():
        for user in [row[2]] if row[2] != "*" else [f"{row[0]}-1", f"{row[0]}-2"]:
            wanted = set(row[5].split())
            assert users[user] == (wanted | heads if "switchboard" in wanted else wanted), user
            text = site.block(user)
            assert not re.search(r"\{[A-Z]+\}|^ *[?!]|did not work|PASSWORD\b", text, re.M), text
            assert "localhost" in text and site.passwords[user] in text, text
    said = site.command("--check")
    assert said.returncode == 0 and said.stderr == "", said.stderr


@pytest.mark.parametrize("first, second", [("home-assistant", "frigate"), ("frigate", "home-assistant")])
def test_a_later_run_adds(site, first, second):
    """Whichever comes first, Home Assistant may deal with Frigate in the end. Passwords, names and rules stay."""
    site.setup("--program", first, "--name", "localhost", "--name", "broker.house")
    before, passwords = (site.directory / "users.passwd").read_text(), dict(site.passwords)
    site.setup("--program", second, "--name", "other.house")
    assert {user: site.passwords[user] for user in passwords} == passwords
    assert re.match(r"(\w+):[^\n]*(id=\w+)", before)[2] in (site.directory / "users.passwd").read_text()
    assert site.users()["homeassistant"] == {"homeassistant", "switchboard", "frigate-client"}
    names = subprocess.run(["openssl", "x509", "-in", site.directory / "pki/issued/server-ec.crt", "-noout", "-ext", "subjectAltName"],
                           capture_output=True, text=True, check=True).stdout
    assert all(f"DNS:{name}" in names for name in ("localhost", "broker.house", "other.house")), names
    assert "other.house" in site.said
    with site, Wire(site, user="homeassistant") as head, Wire(site, user="frigate") as frigate:
        head.subscribe("frigate/#")
        frigate.subscribe("frigate/#")
        frigate.publish("frigate/available", b"online", qos=1)
        assert head.message().payload == b"online"


def test_a_running_broker_takes_new_users(site):
    site.setup("--program", "sensor=porch", "--name", "localhost")
    with site:
        mark = site.mark()
        site.setup("--program", "frigate")
        site.wait_log("reloaded", mark)
        with Wire(site, user="frigate") as frigate:
            frigate.subscribe("frigate/#")


MINE = """\
# mine
roles:
    starter:   # of the family
        - allow all home/#
    'frigate':
        - allow publish cameras/#

# more of mine
tests:
  - { user: anna, publish: home/x, expect: allow }
users:
  anna: { roles: [starter] }
"""


def test_own_rules_stay(site):
    """Only lines are added, in the indentation that is there; a role of that name is its owner's."""
    site.write_file("acl.yaml", MINE, 0o640)
    site.setup("--program", "frigate", "--program", "home-assistant", "--name", "localhost")
    text = (site.directory / "acl.yaml").read_text()
    added = [line for line in text.splitlines(keepends=True) if line not in MINE.splitlines(keepends=True)]
    assert "".join(line for line in text.splitlines(keepends=True) if line not in added) == MINE
    assert "    homeassistant:\n" in added and "frigate:\n" not in [line.strip(" ") for line in added]
    assert text.index("homeassistant:") < text.index("# more of mine")
    assert stat.S_IMODE((site.directory / "acl.yaml").stat().st_mode) == 0o640
    assert "allow publish cameras/#" in text and site.command("--check").returncode == 0


@pytest.mark.parametrize("rules, said", [
    ('{roles: {starter: ["allow all home/#"]}}\n', "not YAML"),
    ("roles: [1]\n", "acl.yaml would have errors"),
    ("roles:\n  a:\n    - allow nothing\n", "would have errors"),
    ('roles:\n  a:\n    - allow all x\nusers: {anna: {roles: [a]}}\ntests: [{user: anna, publish: "y", expect: allow}]\n', "failed"),
])
def test_rules_that_cannot_be_added_to_are_left_as_they_are(site, rules, said):
    site.write_file("acl.yaml", rules)
    assert said in site.refuse("--program", "frigate", "--name", "localhost")
    assert (site.directory / "acl.yaml").read_text() == rules
    assert not (site.directory / "users.passwd").exists()
    assert not [path for path in site.directory.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("rules", ["", "# nothing yet\n", "roles: {}\n", "users: {anna: {roles: [frigate]}}\n"])
def test_rules_without_roles(site, rules):
    site.write_file("acl.yaml", rules)
    site.setup("--program", "frigate", "--name", "localhost")
    text = (site.directory / "acl.yaml").read_text()
    assert text.count("  frigate:\n") == 1 and rules.replace("roles: {}\n", "") in text


def test_certificates_log_in(site):
    """Where a program cannot have one, it has a password. A user keeps the way that it has."""
    site.setup("--login", "certificate", "--admin", "owner", "--program", "frigate", "--program", "tasmota=plug", "--name", "localhost")
    assert set(site.passwords) == {"plug"}
    assert f"tls_client_key: {site.path('frigate.key')}" in site.block("frigate")
    with site:
        with Wire(site, user=None, context=tls_context(site, certificate="frigate")) as frigate:
            frigate.subscribe("frigate/#")
        with Wire(site, user="plug") as plug:
            plug.subscribe("cmnd/plug/#")
        command = re.search(r"broker-sub .*", site.block("owner"))[0].replace("-h ", "-p 1 -h ").replace("-p 8883", "")
        command = re.sub(r"-p \d+", "", command) + f" -p {site.port} -C 1"
        done = subprocess.run(["bash", "-c", command.replace("'#'", "'$SYS/broker/version'")], capture_output=True, text=True, check=False,
                              env=site.environment, timeout=TIMEOUT_S)
        assert done.returncode == 0 and done.stdout, done.stderr
    before = site.snapshot()
    site.setup("--program", "frigate")
    assert site.snapshot() == before and "tls_client_key" in site.block("frigate")


def test_a_configuration_that_takes_no_certificates(site):
    site.setup("--program", "sensor=porch", "--name", "localhost")
    text = (site.directory / "broker.yaml").read_text()
    site.write_file("broker.yaml", re.sub(r"  (client_|certificate_user).*\n", "", text))
    before = site.snapshot()
    assert "certificate_user: cn" in site.refuse("--login", "certificate", "--program", "frigate")
    assert site.snapshot() == before


def test_certificates_of_somebody_else(site):
    site.setup("--program", "sensor=porch", "--name", "localhost")
    for end in ("crt", "key"):
        shutil.copy(site.directory / f"pki/issued/server-ec.{end}", site.directory / f"public.{end}")
    text = (site.directory / "broker.yaml").read_text().replace("pki/issued/server-ec", "public")
    site.write_file("broker.yaml", text)
    assert "public.crt" in site.refuse("--program", "frigate")


@pytest.mark.parametrize("options, said", [
    (["--program", "toaster"], "'toaster' is not known"),
    (["--program", "tasmota"], "which ones?"),
    (["--program", "tasmota=a/b"], "'a/b' cannot be a user"),
    (["--admin", "-x"], "cannot be a user"),
    (["--name", "a b"], "no name or address"),
    (["--login", "token"], "neither password nor certificate"),
    (["--port", "0"], "from 1 to 65535"),
    (["--nonsense"], "there is no option '--nonsense' (see vakt-setup --help)"),
    (["--admin"], "--admin needs a value"),
])
def test_wrong_use(site, options, said):
    done = subprocess.run([SETUP, "-c", site.directory / "broker.yaml", *options], text=True, capture_output=True, check=False,
                          stdin=subprocess.DEVNULL, env=site.environment, timeout=TIMEOUT_S)
    assert done.returncode == 2 and said in done.stderr, done
    assert not list(site.directory.iterdir())


def test_a_directory_that_others_can_write_is_refused(site):
    site.directory.chmod(0o777)
    assert "chmod go-w" in site.refuse("--program", "frigate")
    assert not list(site.directory.iterdir())


def test_a_broken_configuration_is_left_alone(site):
    site.write_file("broker.yaml", "listeners: [\n")
    assert "has errors" in site.refuse("--program", "frigate")
    assert [path.name for path in site.directory.iterdir()] == ["broker.yaml"]


def converse(site, answers):
    """Run on a terminal; each answer is given when its question was asked. What was printed, and the exit status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(SETUP, [str(SETUP), "-c", str(site.directory / "broker.yaml"), "--port", str(site.port)], site.environment)
    said, deadline = b"", time.monotonic() + 6 * TIMEOUT_S
    try:
        asked = 0
        while time.monotonic() < deadline:
            if not select.select([fd], [], [], 1)[0]:
                continue
            try:
                piece = os.read(fd, 65536)
            except OSError:
                break
            if not piece:
                break
            said += piece
            while answers and (found := re.search(answers[0][0].encode() + rb".*?: $", said[asked:], re.S)):
                asked += found.end()
                os.write(fd, answers.pop(0)[1].encode() + b"\n")
        else:
            os.kill(pid, 9)
    finally:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(fd)
    assert not answers, (answers, said.decode())
    return status, said.decode().replace("\r\n", "\n")


def test_it_asks_five_questions(site):
    status, said = converse(site, [
        (r"1\. Names", "localhost broker.house"), (r"2\. Who", "owner"), (r"   Programs", "toaster"),
        (r"'toaster' is not one of them.*   Programs", "frigate, tasmota"), (r"the name of each", "plug tasmota_1"),
        (r"5\. New users", "")])
    assert status == 0, said
    assert set(site.users()) == {"owner", "frigate", "plug", "tasmota_1"}
    assert "MqttUser plug" in said and "host: 'broker.house'" in said
    status, said = converse(site, [(r"1\. Names.*broker\.house", ""), (r"2\. Who.*those there", ""), (r"   Programs", "sensor"),
                                    (r"the name of each", "porch"), (r"5\. New users", "certificate")])
    assert status == 0, said
    assert site.users()["porch"] == {"device"} and "owner" in site.users()
    assert site.path("porch.key").exists()


def test_an_interrupted_conversation_adds_nobody(site):
    status, said = converse(site, [(r"1\. Names", "localhost"), (r"2\. Who", "\x04")])
    assert status == 2 and "nothing was changed" in said, said
    assert {path.name for path in site.directory.iterdir()} == {"broker.yaml"}


@pytest.fixture
def place_for_others():
    """A directory that other users reach, too."""
    made = Path(tempfile.mkdtemp(prefix="vakt-setup-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run a program as another user")
def test_root_works_in_the_directory_of_the_broker(place_for_others):
    """The package gives /etc/vakt to the user of the broker, with its first files: what is added is that user's."""
    (place_for_others / "etc").mkdir(mode=0o750)
    os.chown(place_for_others / "etc", 1, 1)
    site = Site(place_for_others / "etc")
    as_broker = ["setpriv", "--reuid", "1", "--regid", "1", "--clear-groups"]
    if subprocess.run([*as_broker, "test", "-x", PKI, "-a", "-x", SETUP], check=False).returncode != 0:
        pytest.skip("another user cannot read the programs")
    for words in (["init"], ["server", "localhost"]):
        subprocess.run([*as_broker, PKI, "-d", site.directory / "pki", *words], check=True, capture_output=True, env=site.environment)
    for name, text in (("broker.yaml", FIRST["broker.yaml"].replace("[::]:8883", f"127.0.0.1:{site.port}")),
                       ("acl.yaml", FIRST["acl.yaml"]), ("users.passwd", "# The users\n")):
        for place in ("/run/broker/", "/var/log/broker/", "/var/lib/"):
            text = text.replace(place, "")
        os.chown(site.write_file(name, text), 1, 1)
    site.setup("--admin", "owner", "--program", "frigate", "--name", "localhost")
    assert {path.stat().st_uid for path in site.directory.rglob("*")} == {1}
    checked = subprocess.run([*as_broker, BROKER, "--check", "-c", "broker.yaml"], cwd=site.directory, capture_output=True, text=True,
                             check=False, env=site.environment)
    assert checked.returncode == 0 and "2 users" in checked.stdout, checked.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make files for another user")
def test_root_makes_files_for_another_user(site):
    """As the package does it: /etc/vakt belongs to root, and the group of the broker may read it."""
    os.chown(site.directory, 0, 1)
    site.directory.chmod(0o750)
    site.setup("--program", "frigate", "--name", "localhost")
    for name in ("broker.yaml", "acl.yaml", "users.passwd", "pki/issued/server-ec.key"):
        found = (site.directory / name).stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 1, 0o640), name
    for name in ("pki/server-ca.key", "pki/client-ca.key"):
        assert stat.S_IMODE((site.directory / name).stat().st_mode) == 0o600, name
    site.setup("--program", "sensor=porch")
    for name in ("acl.yaml", "users.passwd"):
        found = (site.directory / name).stat()
        assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (1, 0o640), name
