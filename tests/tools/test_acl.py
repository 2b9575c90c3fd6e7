"""broker-acl from outside: verdicts, the rule that decided, what to change, tests, exit statuses, messages.

Usage: test_acl.py BROKER BROKER-PASSWD BROKER-ACL TEMPLATES-DIRECTORY.  TAP on standard output.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

BROKER, PASSWD, ACL, TEMPLATES = (os.path.abspath(path) for path in sys.argv[1:5])

CONFIG = """\
listeners: [{ bind: unix:broker.sock }]
authentication: { password_file: users.passwd, anonymous: true }
authorization: { acl_file: acl.yaml }
"""

# The line of a rule is its place in here.
POLICY = """\
desired_topics: [desired/#, +/desired/#]
roles:
  provider:
    - allow publish current/%u/#
    - allow publish device/+ own max=16
    - deny publish desired/#
    - allow subscribe desired/%u/#
  actor:
    - allow subscribe current/# device/+
    - allow publish desired/+/# retain=no
    - allow publish desired/+/# retain=delete
    - deny publish current/#
  leaver:
    - allow will leave retain=no payload=%c,%u/* qos<=1
    - deny will leave
    - "deny publish log/%c/#"
    - "allow publish log/#"
  odd:
    - "allow publish '100%%/it''s here'"
    - allow subscribe 'a b/#' 'x=y'
  bridge:
    - allow publish $SYS/broker/connection/%u/state
users:
  anna:
    roles: [actor]
    rules:
      - deny publish desired/cellar/#
      - allow receive cellar/#
  both: { roles: [actor, provider] }
anonymous:
  roles: [leaver]
  rules:
    - allow subscribe weather/#
    - allow publish desired/#
    - allow publish box/#
"""

USERS = {"porch": ["provider"], "anna": ["provider", "ghost"], "bob": [], "lola": ["leaver"], "odd": ["odd", "bridge"]}

NONE = "no rule allows it"
DESIRED = "guard: anonymous clients never publish to desired/#"
SYSTEM = "guard: nobody publishes to topics that begin with $"
BRIDGE = ("guard: no rule names the topic where a bridge announces itself: set \"notifications false\" or \"notifications_local_only true\""
          " in the bridge, or add the rule \"allow publish $SYS/broker/connection/%c/state\"")

# who, action, topic, options, verdict, the rule's line or the cause, the rule with its names filled in
VERDICTS = [
    ("porch", "publish current/porch/lamp", "", "allow", 4, "allow publish current/porch/#"),
    ("porch", "publish current/porch", "", "allow", 4, "allow publish current/porch/#"),
    ("porch", "publish current/cellar/lamp", "", "deny", NONE, None),
    ("porch", "will current/porch/lamp", "--retain --qos 2 --payload 0", "allow", 4, "allow publish current/porch/#"),
    ("porch", "publish device/a", "--retain --payload 0123456789abcdef", "allow", 5, None),
    ("porch", "publish device/a", "--retain --payload 0123456789abcdefg", "deny", NONE, None),
    ("porch", "publish desired/porch/lamp", "", "deny", 6, None),
    ("porch", "subscribe desired/porch/#", "", "allow", 7, "allow subscribe desired/porch/#"),
    ("porch", "subscribe desired/porch/+/on", "", "allow", 7, "allow subscribe desired/porch/#"),
    ("porch", "subscribe $share/g/desired/porch/#", "", "allow", 7, "allow subscribe desired/porch/#"),
    ("porch", "subscribe desired/#", "", "deny", NONE, None),
    ("porch", "subscribe #", "", "deny", NONE, None),
    ("porch", "receive desired/porch/lamp", "", "allow", 7, "allow subscribe desired/porch/#"),
    ("porch", "publish $SYS/broker/uptime", "", "deny", SYSTEM, None),
    # own rules come before roles, also their deny; a role's deny is its own
    ("anna", "publish desired/cellar/heater", "", "deny", 27, None),
    ("anna", "publish desired/porch/lamp", "", "allow", 10, None),
    ("anna", "publish desired/porch/lamp", "--retain --payload 1", "deny", 6, None),
    ("anna", "publish desired/porch/lamp", "--retain", "allow", 11, None),
    ("anna", "publish current/anna/lamp", "", "allow", 4, "allow publish current/anna/#"),
    ("anna", "receive cellar/a", "", "allow", 28, None),
    ("anna", "subscribe cellar/a", "", "deny", NONE, None),
    ("bob", "publish a", "", "deny", NONE, None),
    # names in payloads, conditions, deny rules whose %c has no value
    ("lola", "will leave", "--client-id l1 --payload l1", "allow", 14,
     "allow will leave retain=no payload=l1,lola/* qos<=1"),
    ("lola", "will leave", "--client-id l1 --payload lola/lamp", "allow", 14,
     "allow will leave retain=no payload=l1,lola/* qos<=1"),
    ("lola", "will leave", "--client-id l1 --payload l2", "deny", 15, None),
    ("lola", "will leave", "--client-id l1 --payload l1 --qos 2", "deny", 15, None),
    ("lola", "publish leave", "--client-id l1 --payload l1", "deny", NONE, None),
    ("lola", "publish log/l1/x", "--client-id l1", "deny", 16, "deny publish log/l1/#"),
    ("lola", "publish log/l2/x", "--client-id l1", "allow", 17, None),
    ("lola", "publish log/l2/x", "--client-id a/b", "deny", 16, "deny publish log/+/#"),
    # signs that mean something
    ("odd", "publish 100%/it's here", "", "allow", 19, None),
    ("odd", "subscribe a b/c", "", "allow", 20, None),
    ("odd", "subscribe x=y", "", "allow", 20, None),
    ("odd", "publish $SYS/broker/connection/odd/state", "", "allow", 22,
     "allow publish $SYS/broker/connection/odd/state"),
    ("odd", "publish $SYS/broker/connection/bob/state", "", "deny", BRIDGE, None),
    # anonymous
    (None, "subscribe weather/#", "", "allow", 33, None),
    (None, "publish desired/a", "", "deny", DESIRED, None),
    (None, "will house/desired/a", "", "deny", DESIRED.replace("desired/#", "+/desired/#"), None),
    (None, "publish box/a", "", "allow", 35, None),
    (None, "publish log/a", "", "deny", 16, "deny publish log/+/#"),
]

# What stands under the verdict: who, action and topic, options, pieces of the answer.
ACCOUNTS = [
    ("both", "publish current/both/lamp", "", [
        "  the guards: none applies",
        "  the own rules of both: there are none",
        "  role actor (acl.yaml:29): deny, acl.yaml:12: deny publish current/#",
        "  role provider (acl.yaml:29): allow, acl.yaml:4: allow publish current/%u/#",
    ]),
    ("anna", "publish desired/porch/lamp", "--retain --payload 1", [
        "  the own rules of anna: none matches",
        "  role provider (users.passwd:2): deny, acl.yaml:6: deny publish desired/#",
        "  role ghost (users.passwd:2): gives nothing, acl.yaml does not define it",
        "  role actor (acl.yaml:25): none matches",
        "nearly: acl.yaml:10: allow publish desired/+/# retain=no",
        "        would allow it, but the message is retained",
        "nearly: acl.yaml:11: allow publish desired/+/# retain=delete",
        "        would allow it, but the payload is not empty",
        "to allow it, add to role 'actor' of acl.yaml:",
    ]),
    ("lola", "will leave", "--qos 2 --payload x", [
        "nearly: acl.yaml:14: allow will leave retain=no payload=%c,%u/* qos<=1",
        "        would allow it, but the QoS is 2",
        "note: there are rules with %c, and no client id was given (--client-id)",
    ]),
    ("lola", "will leave", "--client-id l1 --payload x", ["        would allow it, but the payload does not match"]),
    ("porch", "publish device/a", "--payload 0123456789abcdefg", [
        "        would allow it, but the payload has 17 bytes"]),
    ("porch", "subscribe desired/#", "", ["        would allow it, but it covers only a part of the filter"]),
    ("bob", "publish a", "", ["  bob has no roles"]),
    ("porch", "publish $CONTROL/x", "", ["  the guards: deny; they come before all rules",
                                         "no rule can allow it: topics that begin with $ are the broker's own"]),
    (None, "publish desired/a", "", ["  the own rules of anonymous: allow, acl.yaml:34: allow publish desired/#",
                                     "no rule can allow it: give the client a user name"]),
]

# Denied, then the suggested line is put where the answer says, and it must be allowed.
SUGGESTIONS = [
    ("porch", "publish desired/porch/lamp"),
    ("porch", "publish a/porch/b"),
    ("porch", "subscribe #"),
    ("porch", "subscribe +/+"),
    ("porch", "subscribe $share/g/x/#"),
    ("porch", "receive desired/cellar/a"),
    ("porch", "will weather: today/x"),
    ("porch", "publish it's 100% a=b"),
    ("porch", 'publish a "quoted" \\ topic: x'),
    ("porch", "subscribe a b/#"),
    ("porch", "publish tab\tinside"),
    ("porch", "publish own"),
    ("porch", "publish ends:"),
    ("porch", "publish /"),
    ("anna", "publish desired/cellar/heater"),
    ("anna", "subscribe cellar/#"),
    ("bob", "publish bob/x"),
    ("bob", "publish 'x"),
    ("lola", "will log/x"),
    (None, "subscribe #"),
    (None, "publish log/a"),
]

# Edited wrongly: another line in place of `- allow publish current/%u/#` (or of the first), then where and what.
WRONG_EDITS = [
    ("a word misspelt", "    - allow publsh current/%u/#",
     "acl.yaml:4:13: error: unknown 'publsh'; did you mean 'publish'?"),
    ("a filter lost to a comment", "    - allow all #",
     "acl.yaml:4:7: error: a rule without a filter (in YAML ' #' starts a comment: put a rule with # in quotes, "
     '"allow all #")'),
    ("a condition where none can be", "    - allow subscribe current/# retain=no",
     "acl.yaml:4:33: error: 'retain=' belongs to publish and will rules only; remove it or split the rule"),
    ("a name that means nothing", "    - allow publish current/%n/#",
     "acl.yaml:4:29: error: unknown '%n': %u is the user name, %c the client id, %% a percent sign"),
    ("a wildcard inside", "    - allow publish current/#/lamp",
     "acl.yaml:4:21: error: 'current/#/lamp': not a topic filter: + and # must be a whole level, and # the last one"),
    ("a condition misspelt", "    - allow publish current/%u/# retian=no",
     "acl.yaml:4:34: error: unknown condition 'retian='; did you mean 'retain='?"),
    ("a key misspelt", "desired_topic: [desired/#]",
     "acl.yaml:1:1: error: unknown key 'desired_topic'; did you mean 'desired_topics'?"),
    ("indented by a tab", "\t- allow publish current/%u/#", "acl.yaml:4:1: error: "),
    ("no list", "    allow publish current/%u/#",
     "acl.yaml:4:5: error: expected a list: '- ' before each entry, or [a, b]"),
]

# The broker would start with these, and says what is strange.
WARNINGS = [
    ("hidden", "    - allow publish a/#\n    - deny publish a/b",
     "acl.yaml:5:7: warning: 'deny publish a/b' never decides: line 4, 'allow publish a/#', comes first and covers it; "
     "move it up or remove it"),
    ("guarded", "    - allow publish $SYS/#",
     "acl.yaml:4:7: warning: 'allow publish $SYS/#' never allows anything: nobody publishes to topics that begin with $"),
    ("a role that is none", "    - allow publish a\nusers: { anna: { roles: [provder] } }",
     "acl.yaml:5:26: warning: role 'provder' is not defined and gives nothing; did you mean 'provider'?"),
]

WRONG_USE = [
    ([], "a command is needed: explain or test"),
    (["explian", "-c", "broker.yaml"], "there is no command 'explian'; did you mean 'explain'?"),
    (["rules", "-c", "broker.yaml"], "there is no command 'rules'; there are explain and test"),
    (["test"], "name the configuration with -c broker.yaml"),
    (["test", "-c", "broker.yaml", "--user", "anna"], "test needs only the configuration"),
    (["test", "-c", "broker.yaml", "acl.yaml"], "unexpected argument 'acl.yaml'"),
    (["explain", "-c", "broker.yaml", "--user", "anna", "publish"], "explain needs a topic after 'publish'"),
    (["explain", "-c", "broker.yaml", "--user", "anna"], "explain needs an action and a topic"),
    (["explain", "-c", "broker.yaml", "--user", "anna", "publish", "a", "b"], "unexpected argument 'b'"),
    (["explain", "-c", "broker.yaml", "publish", "a"], "explain needs either --user or --anonymous"),
    (["explain", "-c", "broker.yaml", "--user", "anna", "--anonymous", "publish", "a"],
     "explain needs either --user or --anonymous"),
    (["explain", "-c", "broker.yaml", "--user", "a/b", "publish", "a"], "invalid user name: "),
    (["explain", "-c", "broker.yaml", "--user", "anna", "write", "a"],
     "there is no action 'write'; there are publish, subscribe, receive and will"),
    (["explain", "-c", "broker.yaml", "--user", "anna", "subscibe", "a"], "there is no action 'subscibe'; did you mean 'subscribe'?"),
    (["explain", "-c", "broker.yaml", "--usr", "anna", "publish", "a"], "there is no option '--usr'; did you mean --user?"),
    (["explain", "-c", "broker.yaml", "--user", "anna", "publish", "a/#"],
     "'a/#' is not a topic name: it must not be empty or contain + or #"),
    (["explain", "-c", "broker.yaml", "--user", "anna", "subscribe", "a#"], "'a#' is not a topic filter: "),
    (["explain", "-c", "broker.yaml", "--user", "anna", "subscribe", "$share/a"], "'$share/a' is not $share/GROUP/FILTER"),
    (["explain", "-c", "broker.yaml", "--user", "anna", "publish", "a", "--qos", "3"], "--qos is 0, 1 or 2"),
    (["explain", "-c", "broker.yaml", "--user", "anna", "publish", "a", "--json"], "there is no option '--json'"),
    (["test", "-c", "nothing.yaml"], "nothing.yaml: error: "),
]


def run(*command, status=None):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert status is None or done.returncode == status, (command, done)
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done


def write(name, text):
    Path(name).write_text(text, encoding="utf-8")
    os.chmod(name, 0o600)


def ask(who, question, options="", config="broker.yaml", status=None):
    action, topic = question.split(" ", 1)
    asker = ["--anonymous"] if who is None else ["--user", who]
    return run(ACL, "explain", "-c", config, *asker, action, *options.split(), "--", topic, status=status)


def house(policy=POLICY, config=CONFIG, users=None):
    write("broker.yaml", config)
    write("acl.yaml", policy)
    for name, roles in (users or {}).items():
        create = [] if os.path.exists("users.passwd") else ["-c"]
        given = [word for role in roles for word in ("--role", role)]
        run(PASSWD, *create, "users.passwd", "add", name, *given, "--no-password", status=0)


def test_verdicts():
    house(users={**USERS, "both": []})
    lines = POLICY.split("\n")
    for who, question, options, verdict, rule, filled in VERDICTS:
        what = (who, question, options)
        done = ask(who, question, options, status=0 if verdict == "allow" else 1)
        said = done.stdout.split("\n")
        name = "anonymous" if who is None else who
        assert said[0] == f"{verdict}: {name} {'may' if verdict == 'allow' else 'may not'} {question}", (what, said)
        if isinstance(rule, int):
            place, text = re.fullmatch(r"rule: acl\.yaml:(\d+): (.*)", said[1]).groups()
            assert int(place) == rule and text in lines[rule - 1], (what, said)
        else:
            assert said[1] == "rule: " + rule, (what, said)
        assert (said[2] == "      that is: " + filled) if filled else "that is" not in said[2], (what, said)


def test_accounts():
    house(users={**USERS, "both": []})
    for who, question, options, pieces in ACCOUNTS:
        said = ask(who, question, options).stdout
        for piece in pieces:
            assert any(line.startswith(piece) for line in said.split("\n")), (who, question, piece, said)


def put_suggestion(said, policy):
    """The policy as the answer says it should be."""
    told = said[said.index("to allow it, "):].split("\n")
    head, lines = told[0], policy.split("\n")
    if head.startswith("to allow it, write into acl.yaml:"):
        body = []
        for line in told[1:]:
            if not line.startswith("    "):
                break
            body.append(line[4:])
        at = lines.index(body[0]) if body[0] in lines else len(lines) - 1
        return "\n".join(lines[:at] + body + lines[at + (1 if at < len(lines) - 1 else 0):])
    rule = told[1].strip()
    above = re.search(r"above line (\d+) of acl\.yaml:$", head)
    if above:
        at = int(above.group(1)) - 1
    elif head.startswith("to allow it, add to role '"):
        at = lines.index("  " + head.split("'")[1] + ":") + 1
    else:
        who = re.fullmatch(r"to allow it, add to the rules of (\S+) in acl\.yaml:", head).group(1)
        at = lines.index("anonymous:" if who == "anonymous" else f"  {who}:")
        at = next(i for i in range(at, len(lines)) if lines[i].strip() == "rules:") + 1
    indent = next(line for line in lines[at:] if line.strip().startswith("- "))
    indent = indent[:len(indent) - len(indent.lstrip())]
    return "\n".join(lines[:at] + [indent + rule] + lines[at:])


def test_suggestions_do_what_they_say():
    house(users={**USERS, "both": []})
    for who, question in SUGGESTIONS:
        write("acl.yaml", POLICY)
        said = ask(who, question, status=1).stdout
        write("acl.yaml", put_suggestion(said, POLICY))
        after = ask(who, question)
        assert after.returncode == 0, (who, question, said, Path("acl.yaml").read_text(encoding="utf-8"), after)


def test_no_rule_can_name_a_line_break():
    house(users=USERS)
    assert "no rule can allow it: the topic has a line break in it" in ask("porch", "publish a\nb", status=1).stdout


def test_who_cannot_log_in():
    house(users=USERS)
    run(PASSWD, "users.passwd", "lock", "porch", status=0)
    said = ask("porch", "publish current/porch/lamp", status=1).stdout.split("\n")
    assert said[0] == "deny: porch may not publish current/porch/lamp"
    assert said[1] == ("login: user 'porch' is locked in users.passwd, line 1; to unlock it: "
                       "broker-passwd users.passwd unlock porch")
    assert said[2].strip() == "the rules alone would say: allow"
    assert said[3] == "rule: acl.yaml:4: allow publish current/%u/#"
    said = ask("cellar", "publish a", status=1).stdout.split("\n")
    assert said[1] == "login: there is no user 'cellar' in users.passwd; to add it: broker-passwd users.passwd add cellar"
    write("broker.yaml", CONFIG.replace(", anonymous: true", ""))
    said = ask(None, "subscribe weather/#", status=1).stdout.split("\n")
    assert said[1].startswith("login: no listener admits anonymous clients; ")
    assert said[2].strip() == "the rules alone would say: allow"


VOID = """\
roles:
  guest:
    - deny publish home/alarm/#
    - allow publish home/guest/#
  family:
    - allow publish home/#
users:
  anna: { roles: [guest, family] }
  bert: { roles: [guest, family], rules: ["allow publish home/alarm/on"] }
"""


def test_the_deny_of_a_role_does_not_hold():
    """Where another role allows it. Who asks is told."""
    house(VOID, users={"anna": [], "bert": []})
    note = "note: role guest denies it, and one role that allows is enough: a deny that must hold"
    assert note in ask("anna", "publish home/alarm/off", status=0).stdout
    assert "note:" not in ask("anna", "publish home/guest/x", status=0).stdout
    assert "note:" not in ask("bert", "publish home/alarm/on", status=0).stdout  # by a rule of its own
    assert note in ask("bert", "publish home/alarm/off", status=0).stdout


VOID_WARNINGS = [
    # roles of anna, her rules, the roles, what is denied in vain
    ("guest, family", "", {}, ["deny publish home/alarm/#"]),
    ("family, guest", "", {}, ["deny publish home/alarm/#"]),
    ("guest", "", {}, []),
    ("guest, family", "deny publish home/alarm/#", {}, []),           # it holds
    ("guest, family", "deny publish home/#", {}, []),
    ("guest, family", "", {"family": ["allow publish home/alarm/on"]}, []),  # only a part of it
    ("guest, family", "", {"family": ["deny publish home/alarm/x", "allow all home/#"]}, []),
    ("guest, family", "", {"family": ["allow subscribe home/#"]}, []),
    ("guest, family", "", {"family": ["allow publish home/# retain=no"]}, []),
    ("guest, family", "", {"family": ["allow publish home/%u/# home/+/#"]}, ["deny publish home/alarm/#"]),
    ("guest, family", "", {"guest": ["deny publish home/%u/x", "allow publish a"]}, ["deny publish home/%u/x"]),
    ("guest, family", "", {"guest": ["deny all home/x/y home/x/z", "allow publish a"]}, []),
    ("guest, family", "", {"guest": ["deny all home/x/y home/x/z", "allow publish a"], "family": ["allow all home/#"]},
     ["deny all home/x/y home/x/z"]),
]


def test_check_warns_of_denies_that_other_roles_make_void():
    for roles, own, change, wanted in VOID_WARNINGS:
        rules = {"guest": ["deny publish home/alarm/#", "allow publish home/guest/#"], "family": ["allow publish home/#"], **change}
        policy = json.dumps({"roles": rules, "users": {"anna": {"roles": roles.split(", "), "rules": [own] if own else []}}})
        house(policy, users=None if os.path.exists("users.passwd") else {"anna": []})
        said = run(BROKER, "--check", "-c", "broker.yaml", status=0).stderr
        found = re.findall(r"acl\.yaml:\d+:\d+: warning: '(.*)' of role 'guest' denies nothing to 'anna', who has role 'family'", said)
        assert found == wanted, (roles, own, change, said)


def test_all_paths_can_be_opened_from_here():
    os.mkdir("dev", 0o700)
    os.chdir("dev")
    house(VOID.replace("guest, family", "guest") + "tests: [{ user: anna, publish: home/guest/x, expect: allow }]\n",
          users={"anna": ["guest"], "bert": []})
    os.chdir("..")
    said = ask("anna", "publish home/guest/x", config="dev/broker.yaml", status=0).stdout
    assert "rule: dev/acl.yaml:4: allow" in said and ": allow, dev/acl.yaml:4: allow" in said
    assert "role guest (dev/users.passwd:1, dev/acl.yaml:8)" in said
    said = ask("anna", "publish home/guest/x", "--retain", config="dev/broker.yaml", status=0).stdout
    said = ask("bert", "publish home/nowhere/x", config="dev/broker.yaml", status=1).stdout
    assert "of dev/acl.yaml:" in said and " acl.yaml" not in said
    said = run(ACL, "test", "-c", "dev/broker.yaml", status=0).stdout
    assert said.startswith("dev/acl.yaml:10:") and "allow (dev/acl.yaml:4: allow" in said


def test_without_a_password_file():
    house(config=CONFIG.replace("password_file: users.passwd, ", ""))
    said = ask("both", "publish current/both/x", status=0).stdout
    assert "note: there is no password_file; the roles are those of acl.yaml alone" in said


def test_partial_subscriptions_are_explained():
    house(users=USERS, config=CONFIG.replace("acl_file: acl.yaml", "acl_file: acl.yaml, partial_subscriptions: filter"))
    said = ask("porch", "subscribe desired/#", status=0).stdout
    assert "rule: acl.yaml:7: allow subscribe desired/%u/#" in said
    assert ("in part: messages that porch may not receive are left out (partial_subscriptions: filter, in broker.yaml)"
            in said)
    assert "in part" not in ask("porch", "subscribe desired/porch/#", status=0).stdout


def test_partial_subscriptions_are_named_as_the_remedy():
    """Who shows everything asks for '#', and gets what it may read once the file says so as explain has it."""
    house(users=USERS)
    said = ask("porch", "subscribe #", status=1).stdout
    remedy = "    users:\n      \"porch\":\n        partial_subscriptions: filter\n"
    assert "to grant it, and deliver only what may be received, write into acl.yaml:\n" + remedy in said, said
    assert "partial_subscriptions" not in ask("porch", "subscribe nothing/#", status=1).stdout
    assert "partial_subscriptions" not in ask("porch", "publish x", status=1).stdout
    entry = "users:\n  porch:\n    partial_subscriptions: filter\n"
    write("acl.yaml", POLICY.replace("users:\n", entry, 1) if "users:\n" in POLICY else POLICY + entry)
    assert "(partial_subscriptions: filter, of its own)" in ask("porch", "subscribe #", status=0).stdout
    write("acl.yaml", open("acl.yaml", encoding="utf-8").read().replace("filter", "refuse"))
    assert "(in place of refuse)" in ask("porch", "subscribe #", status=1).stdout


def test_listener_with_another_word_is_noted():
    house(users=USERS, config=CONFIG.replace("bind: ", "authorization: { partial_subscriptions: filter }, bind: ", 1))
    said = ask("porch", "subscribe #", status=1).stdout
    assert "is granted in part, by its partial_subscriptions" in said, said


def test_missing_and_empty_acl_file():
    house(users=USERS, policy="")
    assert "rule: no rule allows it" in ask("porch", "publish a", status=1).stdout
    os.remove("acl.yaml")
    done = ask("porch", "publish a", status=1)
    assert "rule: no rule allows it" in done.stdout and "acl.yaml: warning: the file does not exist" in done.stderr


def test_tests():
    tests = """\
tests:
  - { user: porch, publish: current/porch/x, expect: allow }
  - { user: porch, publish: current/bob/x, expect: allow }
  - { user: nobody, publish: x, expect: allow }
  - { anonymous: true, publish: desired/x, expect: deny }
"""
    house(policy=POLICY + tests, users=USERS)
    first = POLICY.count("\n") + 2
    done = run(ACL, "test", "-c", "broker.yaml", status=1)
    assert done.stdout.split("\n") == [
        f"acl.yaml:{first}:5: passed porch publish current/porch/x: allow (acl.yaml:4: allow publish current/%u/#)",
        f"acl.yaml:{first + 1}:5: FAILED porch publish current/bob/x: expected allow, the policy says deny "
        "(no rule allows it)",
        f"acl.yaml:{first + 2}:5: skipped nobody publish x: the user is missing or locked",
        f"acl.yaml:{first + 3}:5: passed anonymous publish desired/x: deny ({DESIRED})",
        "2 passed, 1 failed, 1 skipped", ""]
    write("acl.yaml", POLICY + tests.replace("bob/x, expect: allow", "bob/x, expect: deny"))
    assert run(ACL, "test", "-c", "broker.yaml", status=0).stdout.endswith("3 passed, 0 failed, 1 skipped\n")
    write("acl.yaml", POLICY)
    assert "acl.yaml has no tests" in run(ACL, "test", "-c", "broker.yaml", status=0).stdout


def edited(line):
    old = "    - allow publish current/%u/#" if line[0].isspace() else POLICY.split("\n", maxsplit=1)[0]
    return POLICY.split("  actor:", maxsplit=1)[0].replace(old, line)


def test_wrong_edits():
    users = {"porch": ["provider"]}
    house(users=users)
    for name, line, message in WRONG_EDITS:
        write("acl.yaml", edited(line))
        for command in ((ACL, "test"), (BROKER, "--check")):
            done = run(*command, "-c", "broker.yaml", status=2)
            assert any(said.startswith(message) for said in done.stderr.split("\n")), (name, done.stderr)
            assert done.stdout == "", (name, done.stdout)


def test_warnings():
    house(users={"porch": ["provider"]})
    for name, line, message in WARNINGS:
        write("acl.yaml", "roles:\n  provider:\n    - allow subscribe x\n" + line + "\n")
        for command in ((ACL, "test"), (BROKER, "--check")):
            done = run(*command, "-c", "broker.yaml", status=0)
            assert message in done.stderr.split("\n"), (name, done.stderr)


def test_wrong_use():
    house(users=USERS)
    for arguments, message in WRONG_USE:
        done = run(ACL, *arguments, status=2)
        assert message in done.stderr and done.stdout == "", (arguments, done)
    assert run(ACL, "--help", status=0).stdout.startswith("usage: broker-acl explain")
    assert re.fullmatch(r"broker-acl [\d.]+\n", run(ACL, "--version", status=0).stdout)


def test_templates():
    names = sorted(path.name for path in Path(TEMPLATES).glob("*.yaml"))
    assert len(names) >= 3, names
    for name in names:
        house(policy=(Path(TEMPLATES) / name).read_text(encoding="utf-8"),
              config=CONFIG.replace("password_file: users.passwd, ", ""))
        done = run(ACL, "test", "-c", "broker.yaml", status=0)
        assert done.stderr == "", (name, done.stderr)
        assert re.search(r"^\d{2,} passed, 0 failed, 0 skipped$", done.stdout, re.M), (name, done.stdout)


def main():
    tests = [(name, f) for name, f in globals().items() if name.startswith("test_")]
    failed = 0
    print(f"1..{len(tests)}")
    for number, (name, test) in enumerate(tests, 1):
        directory = tempfile.mkdtemp(prefix="vakt-acl-")
        os.chdir(directory)
        try:
            test()
            print(f"ok {number} - {name}")
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {name}\n# " + traceback.format_exc().replace("\n", "\n# "))
        finally:
            os.chdir("/")
            shutil.rmtree(directory)
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
