"""Whom fail2ban would ban, by its own program, from the log of a broker that is attacked."""

import itertools
import shutil
import signal
import subprocess

import pytest
from broker_fixture import ROOT, free_port
from wire import Wire, fresh_address

FILTER = ROOT / "tools/fail2ban/filter.d/vakt.conf"
JAIL = ROOT / "tools/fail2ban/jail.d/vakt.conf"
REGEX = shutil.which("fail2ban-regex")
BAD = 0x86
numbers = itertools.count()
# Names that say what the filter looks for, of an address that has done nothing.
LIE = ' event=wrong-password msg="a password is wrong that was not tried before" address=192.0.2.1 '
LIES = [LIE, "\n" + LIE.strip(), f'"{LIE}"', "level=warning" + LIE, '","level":"warning","event":"wrong-password","address":"192.0.2.1"',
        "2026-12-01T11:20:37.564Z level=warning" + LIE]
# How a line comes to fail2ban: from a file, and from the journal or syslog.
PREFIXES = ["", "2026-12-01T11:20:37.564123+0000 house broker[77]: ", "2026-12-01T11:20:37.564123+0000 house vakt[77]: "]

pytestmark = pytest.mark.skipif(REGEX is None, reason="fail2ban is not installed")


def banned(directory, lines):
    """The address of each line that counts."""
    log = directory / "fail2ban.log"
    log.write_text("".join(f"{line}\n" for line in lines))
    done = subprocess.run([REGEX, "-o", "ip", str(log), str(FILTER)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.split()


def refused(broker, source, user="anna", password="wrong", count=1, **options):
    for number in range(count):
        Wire(broker, user=user, password=f"{password} {number}", source=source, expect=BAD, **options).expect_close()


def log_lines(broker):
    with broker.process.changed:
        return list(broker.process.lines)


@pytest.fixture(scope="module", params=["text", "json"])
def broker(request, new_broker):
    broker = new_broker(users={"anna": ["all"], "locked": ["all"]})
    broker.config["listeners"] += [{"bind": f"127.0.0.1:{free_port()}", "proxy_protocol": "required", "trusted": ["127.0.0.1"]},
                                   {"bind": f"unix:{broker.directory}/socket"}]
    broker.write()
    broker.passwd("lock", "locked")
    with broker:
        if request.param == "json":
            broker.config["log"] = {"format": "json"}
            broker.write()
            broker.process.signal(signal.SIGHUP)
            broker.process.wait_line('"event":"reloaded"')
        yield broker


def found_of(broker, mark):
    """In the lines since the mark, the same for each way in which they come. They are read up to that of one who logs in now."""
    last = f"last-{next(numbers)}"
    Wire(broker, client_id=last, source=fresh_address()).disconnect()
    broker.process.wait_line(lambda line: "client-connected" in line and last in line, mark)
    lines = log_lines(broker)[mark:]
    found = banned(broker.directory, [prefix + line for prefix in PREFIXES for line in lines])
    each = len(found) // len(PREFIXES)
    assert found == found[:each] * len(PREFIXES)
    return found[:each]


def test_each_new_wrong_password_counts(broker):
    mark, source = len(log_lines(broker)), fresh_address()
    refused(broker, source, count=6)
    refused(broker, source, user="nobody")
    assert found_of(broker, mark) == [source] * 7


def test_the_same_wrong_password_counts_once(broker):
    """A device with an old password."""
    mark, source = len(log_lines(broker)), fresh_address()
    for _ in range(8):
        refused(broker, source)
    assert found_of(broker, mark) == [source]


def test_an_address_has_lines_of_its_own(broker):
    """However many others have; and not without end."""
    mark, loud, quiet = len(log_lines(broker)), fresh_address(), fresh_address()
    for user in range(12):
        refused(broker, loud, user=["anna", "locked"][user % 2], password=f"p{user}")
    refused(broker, quiet, user="locked")
    assert found_of(broker, mark) == [loud] * 10 + [quiet]


@pytest.mark.parametrize("lie", LIES)
def test_no_name_is_taken_for_an_address(broker, lie):
    mark, source = len(log_lines(broker)), fresh_address()
    lie = lie.replace("\n", " ")
    refused(broker, source, user=lie, client_id=lie)
    Wire(broker, user="anna", client_id=lie, source=source).disconnect()
    assert found_of(broker, mark) == [source]


def test_an_ipv6_network_behind_a_proxy_and_a_local_process(broker):
    mark = len(log_lines(broker))
    refused(broker, "2001:db8:0:1::7", listener=1)
    refused(broker, None, listener=2)
    assert found_of(broker, mark) == ["2001:db8:0:1::/64"]


def test_who_logs_in_is_not_counted(broker):
    mark = len(log_lines(broker))
    with Wire(broker, source=fresh_address()) as client:
        client.settle()
    assert found_of(broker, mark) == []


def test_the_jail_is_off_and_names_the_filter():
    text = JAIL.read_text()
    assert "\n[vakt]\nenabled = false\nfilter = vakt\n" in text
