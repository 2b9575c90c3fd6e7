"""Tables of verdicts against a policy: each cell of a table is asked of broker-acl, and tried at a live broker.

A table is written by hand and knows nothing of the policy's file:
  WHO     role -> user name; None comes without a name
  WRITES  (topic, payload, {role: letters}): which of the six ways of writing the role may use
  READS   (filter, a topic below it, roles that may subscribe)
{me} in a topic is the user's own name, in a payload too; {id} the client id."""

import json
import os
import re
import subprocess
from dataclasses import dataclass

import mqtt
from broker_fixture import ROOT
from process import TIMEOUT_S
from wire import Wire, fresh_address

ACL_TOOL = os.environ.get("VAKT_ACL", str(ROOT / "build/tools/broker-acl"))
CLIENT_ID = "the-id"
LETTERS = "prdwWD"  # publish, retained, delete; will, will retained, will that deletes
FOREIGN = "cellar"  # the owner of what is somebody else's
ANSWER = re.compile(r"acl\.yaml:(\d+):\d+: passed .*: (?:allow|deny) \((.*)\)$")


@dataclass(frozen=True)
class Cell:
    """One question: may this role do that? `owned`: the answer depends on the owner of the topic."""
    role: str
    user: str
    action: str  # publish, will, subscribe
    topic: str
    allowed: bool
    letter: str = ""
    payload: bytes = b""
    sample: str = ""
    owned: bool = False

    @property
    def retain(self):
        return self.letter in "rdWD" and self.letter != ""

    def question(self):
        """As a row of an ACL file's tests."""
        row = {"anonymous": True} if self.user is None else {"user": self.user}
        row.update({"client_id": CLIENT_ID, self.action: self.topic, "expect": "allow" if self.allowed else "deny"})
        if self.action != "subscribe":
            row.update(retain=self.retain, payload=self.payload.decode())
        return row

    def explain_options(self):
        options = ["--anonymous"] if self.user is None else ["--user", self.user]
        options += ["--client-id", CLIENT_ID, self.action, self.topic]
        if self.action != "subscribe":
            options += ["--payload", self.payload.decode()] + (["--retain"] if self.retain else [])
        return options


class Table:
    def __init__(self, who, writes, reads, owned=()):
        self.who, self.writes, self.reads, self.owned = who, writes, reads, owned

    def fill(self, text, user):
        return text.replace("{me}", user or "nobody").replace("{id}", CLIENT_ID)

    def written(self, role, letters):
        """The cells of one role whose letter is among these, topic by topic."""
        user = self.who[role]
        for topic, payload, allowed in self.writes:
            assert set(allowed) <= set(self.who), f"the row of {topic} names a role that is not there"
            for letter in letters:
                yield Cell(role, user, "will" if letter in "wWD" else "publish", self.fill(topic, user),
                           letter in allowed.get(role, ""), letter,
                           b"" if letter in "dD" else self.fill(payload, user).encode(), owned=topic in self.owned)

    def read(self, role):
        user = self.who[role]
        for topic_filter, sample, roles in self.reads:
            assert set(roles.split()) <= set(self.who), f"the row of {topic_filter} names a role that is not there"
            yield Cell(role, user, "subscribe", self.fill(topic_filter, user), role in roles.split(),
                       sample=self.fill(sample, user))

    def cells(self):
        for role in self.who:
            yield from self.written(role, LETTERS)
            yield from self.read(role)

    def topics(self, role):
        return [self.fill(topic, self.who[role]) for topic, *_ in self.writes if not topic.startswith("$")]


class Policy:
    """A template as it is shipped, with additional users: the watcher sees everything and publishes what others find;
    `others` are {name: their entry in the file, None if it has one}."""

    def __init__(self, new_broker, template, table, others):
        self.table = table
        self.text = (ROOT / "acl/templates" / template).read_text(encoding="utf-8")
        others = {"watcher": 'rules: ["allow all #"]', **others}
        for name, holds in others.items():
            if holds is not None:
                self.text = self.with_user(self.text, name, holds)
        users = {user: [] for user in {FOREIGN, *others, *table.who.values()} if user is not None}
        self.broker = new_broker(users=users, config={"authentication": {"anonymous": True}})
        self.broker.write_file("acl.yaml", self.text)
        self.rules = self.ask()

    @staticmethod
    def with_user(text, name, holds):
        before, after = text.split("\nusers:\n")
        return f"{before}\nusers:\n  {name}: {{ {holds} }}\n{after}"

    # the tool

    def ask(self):
        """Every cell at once, as policy tests after those of the template: {cell: the rule that decided}."""
        cells = list(dict.fromkeys(c for c in self.table.cells() if c.allowed or not c.owned))
        first = self.text.count("\n") + 1
        folder = self.broker.directory / "asked"
        folder.mkdir()
        self.broker.write_file("asked/acl.yaml",
                              self.text + "".join(f"  - {json.dumps(cell.question())}\n" for cell in cells))
        config = {**self.broker.config, "authentication": {"anonymous": True, "password_file": "../users.passwd"}}
        self.broker.write_file("asked/broker.yaml", json.dumps(config) + "\n")
        done = self.tool("test", "-c", "broker.yaml", directory=folder)
        answers = [(line, ANSWER.match(line)) for line in done.stdout.splitlines()]
        wrong = [line for line, answer in answers if not answer]
        assert wrong[:-1] == [] and done.returncode == 0, wrong  # the last one is the sum
        found = {cells[int(answer[1]) - first]: answer[2] for _, answer in answers
                 if answer and int(answer[1]) >= first}
        assert len(found) == len(cells), f"{len(cells)} questions, {len(found)} answers"
        return found

    def tool(self, *arguments, directory=None):
        return subprocess.run([ACL_TOOL, *arguments], cwd=directory or self.broker.directory, env=self.broker.environment, text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S * 3)

    def explain(self, cell):
        """(allowed, the rule) as `explain` prints it."""
        done = self.tool("explain", "-c", "broker.yaml", *cell.explain_options())
        assert done.returncode in (0, 1), done.stderr
        verdict, rule = done.stdout.splitlines()[:2]
        assert verdict.startswith("allow: " if done.returncode == 0 else "deny: ")
        return done.returncode == 0, rule.removeprefix("rule: ")

    # the broker

    def client(self, role, version, **options):
        return Wire(self.broker, version, user=self.table.who[role], client_id=CLIENT_ID, **options)

    def watcher(self):
        client = Wire(self.broker, user="watcher")
        client.subscribe("#")
        client.settle()
        return client

    def sweep(self):
        with Wire(self.broker, user="watcher") as watcher:
            for topic in self.retained():
                watcher.publish(topic, b"", qos=1, retain=True)

    def furnish(self, role):
        """A retained message on each topic; foreign ones belong to their owner. Returns {topic: payload}."""
        topics = self.table.topics(role)
        self.sweep()
        with Wire(self.broker, user="watcher") as watcher, Wire(self.broker, user=FOREIGN) as foreign:
            for topic in topics:
                by = foreign if topic in self.table.owned else watcher
                by.publish(topic, b"before", qos=1, retain=True)
        return dict.fromkeys(topics, b"before")

    def retained(self):
        with Wire(self.broker, user="watcher") as late:
            late.subscribe("#")
            late.settle()
            return {message.topic: message.payload for message in late.messages}


def keep(kept, cell):
    """The retained message that an allowed cell leaves."""
    if cell.retain and cell.payload:
        kept[cell.topic] = cell.payload
    elif cell.retain:
        kept.pop(cell.topic, None)


def try_publishes(policy, role, version):
    """5.0 gets the rule as Reason String, 3.1.1 an acknowledgement; the connection stays, and nothing that is denied
    arrives."""
    kept, mark, want = policy.furnish(role), policy.broker.mark(), []
    denied = set()
    with policy.watcher() as watcher, policy.client(role, version) as client:
        watcher.messages.clear()
        for cell in policy.table.written(role, "prd"):
            for qos in (0, 1, 2) if cell.letter == "p" else (1,):
                answer = client.publish(cell.topic, cell.payload, qos=qos, retain=cell.retain)
                if answer is not None:
                    check_answer(policy, cell, version, answer)
                if cell.allowed:
                    want.append((cell.topic, cell.payload, qos))
                else:
                    denied.add(policy.rules.get(cell))
            if cell.allowed:
                keep(kept, cell)
        client.settle()
        watcher.publish("end", b"end", qos=2)
        got = [(m.topic, m.payload, m.qos) for m in watcher.until(b"end")]
    assert got == want
    assert policy.retained() == kept
    check_log(policy, "publish-denied", mark, denied)


def check_log(policy, event, mark, rules):
    """At least one log line for each rule that denied; a guard counts once, however many filters it has."""
    for rule in {rule for rule in rules if rule}:
        name = rule.split(" to ")[0] if rule.startswith("guard: ") else rule
        policy.broker.wait_log(event, mark, rule=lambda told, name=name: told.startswith(name))


def check_answer(policy, cell, version, answer):
    if version == 4:
        assert answer.reason == 0, cell
    elif cell.allowed:
        assert answer.reason in (0, 0x10), cell
    else:
        assert answer.reason == 0x87, cell
        assert answer.props["reason_string"] == policy.rules.get(cell, answer.props["reason_string"]), cell


def try_wills(policy, role, version):
    """A denied will refuses the CONNECT with the rule; an allowed one is published when its client dies."""
    kept, mark, denied = policy.furnish(role), policy.broker.mark(), []
    with policy.watcher() as watcher:
        watcher.messages.clear()
        for cell in policy.table.written(role, "wWD"):
            will = mqtt.Will(cell.topic, cell.payload, 2, cell.retain)
            if cell.allowed:
                policy.client(role, version, will=will).kill()
                got = watcher.message()
                assert (got.topic, got.payload, got.qos) == (cell.topic, cell.payload, 2), cell
                keep(kept, cell)
            else:
                denied.append(f"the will to {cell.topic} is denied: {policy.rules.get(cell, '')}")
                check_refusal(policy, cell, version, will, denied[-1])
        watcher.publish("end", b"end", qos=1)
        assert watcher.until(b"end") == []
    assert policy.retained() == kept
    # The log limits these lines for all clients together: those that are there must be right.
    told = {line["cause"] for line in policy.broker.logged("connect-refused", mark) if line["user"] == (cell.user or "")}
    assert all(cause.startswith(tuple(denied)) for cause in told), told


def check_refusal(policy, cell, version, will, cause):
    with policy.client(cell.role, version, will=will, expect=None, source=fresh_address()) as refused:
        assert refused.connack.reason == (5 if version == 4 else 0x87), cell
        assert version == 4 or refused.connack.props["reason_string"].startswith(cause), cell
        refused.expect_close()


def try_reads(policy, role, version):
    """Granted: retained and live messages arrive. Refused: neither, and 5.0 gets the rule."""
    policy.furnish(role)
    mark, denied = policy.broker.mark(), set()
    with Wire(policy.broker, user="watcher") as watcher, policy.client(role, version) as client:
        for cell in policy.table.read(role):
            refused = 0x80 if version == 4 else 0x87
            answer = client.subscribe(cell.topic, qos=1, expect=[1 if cell.allowed else refused])
            if not cell.allowed:
                denied.add(policy.rules[cell])
                assert version == 4 or answer.props["reason_string"] == policy.rules[cell], cell
            elif cell.sample and not cell.topic.startswith("$share"):
                expect_sample(client, cell, retain=True)
            if cell.sample and not cell.sample.startswith("$"):
                try_live(watcher, client, cell)
            client.unsubscribe(cell.topic)
            client.settle()
            client.messages.clear()
    check_log(policy, "subscribe-denied", mark, denied)


def try_live(watcher, client, cell):
    watcher.publish(cell.sample, b"live", qos=1)
    if cell.allowed:
        assert expect_sample(client, cell, retain=False).payload == b"live", cell
    else:
        client.settle()
        assert client.messages == [], cell


def expect_sample(client, cell, retain):
    while True:
        got = client.message()
        if got.topic == cell.sample:
            assert got.retain == retain, cell
            return got


def one_of_each_rule(policy):
    """The cells to put to `explain`: one for each role, action and rule that decides."""
    chosen = {}
    for cell, rule in policy.rules.items():
        chosen.setdefault((cell.role, cell.action, rule), cell)
    return list(chosen.values())


class TableTests:
    """The tests of a table. A file that has one derives a class from this, with its roles, and has a fixture `policy`."""

    ROLES = ()

    def pytest_generate_tests(self, metafunc):
        if "role" in metafunc.fixturenames:
            metafunc.parametrize("role", self.ROLES)

    def test_publish(self, policy, role, version):
        try_publishes(policy, role, version)

    def test_will(self, policy, role, version):
        try_wills(policy, role, version)

    def test_subscribe_and_receive(self, policy, role, version):
        try_reads(policy, role, version)

    def test_explain_names_the_same_rule(self, policy):
        for cell in one_of_each_rule(policy):
            assert policy.explain(cell) == (cell.allowed, policy.rules[cell]), cell
