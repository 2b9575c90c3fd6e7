"""broker-store from outside: what it says of a store, at rest, beside a running broker and damaged; copies and back.

Usage: test_store.py BROKER BROKER-STORE.  TAP on standard output.
"""
import json
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

BROKER, STORE = (os.path.abspath(path) for path in sys.argv[1:3])
TIMEOUT_S = 60

CONFIG = """\
listeners: [{ bind: unix:broker.sock }]
authentication: { anonymous: true, anonymous_sessions: true }
authorization: { acl_file: acl.yaml }
persistence: { directory: store }
"""
POLICY = """\
anonymous: { rules: ["allow all home/#"] }
"""

WRONG_USE = [
    ([], "a path and a command are needed"),
    (["store"], "a command after 'store' is needed"),
    (["store", "mend"], "there is no command 'mend'; there are info, check, dump, backup, compact, restore and load"),
    (["store", "chekc"], "there is no command 'chekc'; did you mean 'check'?"),
    (["store", "check", "twice"], "unexpected argument 'twice'"),
    (["store", "backup"], "'backup' needs a path: where to"),
    (["store", "restore", "a", "b"], "unexpected argument 'b'"),
    (["store", "load"], "'load' needs a path: from where"),
    (["store", "backup", "--keep", "0", "x"], "--keep takes a number from 1 to 100000, not '0'"),
    (["store", "backup", "--keep-days", "7x", "x"], "--keep-days takes a number from 1 to 100000, not '7x'"),
    (["store", "compact", "--keep", "3"], "--keep and --keep-days are for 'backup'"),
    (["--frobnicate"], "there is no option '--frobnicate'"),
]


def run(*command, status=None):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S,
                          check=False)
    assert status is None or done.returncode == status, (command, done)
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done


def store(*words, status=0):
    return run(STORE, *words, status=status)


class Broker:
    """One that runs, with a store in ./store."""

    def __enter__(self):
        for name, text in (("broker.yaml", CONFIG), ("acl.yaml", POLICY)):
            Path(name).write_text(text, encoding="utf-8")
            os.chmod(name, 0o600)
        self.process = subprocess.Popen([BROKER, "-c", "broker.yaml"], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if "event=ready" in line:
                return self
        raise AssertionError(f"the broker did not start: {self.said}")

    def __exit__(self, *_):
        self.process.terminate()
        said = self.process.communicate(timeout=TIMEOUT_S)[1]
        assert self.process.returncode == 0 and "Sanitizer" not in said, (self.process.returncode, said)


def connect():
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(TIMEOUT_S)
    stream.connect("broker.sock")
    stream.sendall(bytes.fromhex("10 0e 0004 4d515454 04 00 003c 0002 6331"))  # client c1, its session is kept
    answer(stream, 4)
    return stream


def answer(stream, length):
    got = b""
    while len(got) < length:
        piece = stream.recv(length - len(got))
        assert piece, got
        got += piece
    return got


def publish(stream, topic, payload):
    """QoS 1, retained."""
    topic, payload = topic.encode(), payload.encode()
    body = len(topic).to_bytes(2, "big") + topic + b"\x00\x07" + payload
    assert len(body) < 128
    stream.sendall(b"\x33" + bytes([len(body)]) + body)
    assert answer(stream, 4) == b"\x40\x02\x00\x07"


def fill(count=3):
    stream = connect()
    for i in range(count):
        publish(stream, f"home/lamp/{i}", f"value {i}")
    stream.close()


def make_store():
    with Broker():
        fill()


def retained(path="store"):
    lines = [json.loads(line) for line in store(path, "dump").stdout.splitlines()]
    return {line["topic"] for line in lines if line.get("table") == "retained"}


LAMPS = {f"home/lamp/{i}" for i in range(3)}


def test_at_rest():
    make_store()
    info = store("store", "info").stdout
    assert re.search(r"^format +\d+$", info, re.M) and re.search(r"^retained +3 rows$", info, re.M), info
    assert re.search(r"^session +1 rows$", info, re.M) and "broker " not in info, info
    assert re.search(r"^last commit +20\d\d-\d\d-\d\dT[\d:]+Z$", info, re.M), info
    assert re.fullmatch(r"ok: \d+ rows in \d+ pages\n", store("store", "check").stdout)
    assert retained() == LAMPS


def info_by_either_path():
    """Of one moment: the broker may still note that a client has left."""
    while True:
        before, file, after = (store(path, "info").stdout for path in ("store", "store/data.mdb", "store"))
        if before == after:
            assert file == after
            return file


def test_beside_a_broker():
    with Broker() as broker:
        fill()
        info = info_by_either_path()
        assert f"process {broker.process.pid}" in info and re.search(r"^retained +3 rows$", info, re.M), info
        assert retained() == LAMPS == retained("store/data.mdb")
        for path in ("store", "store/data.mdb"):
            said = store(path, "check", status=1).stderr
            assert f"a broker runs in {path} (process {broker.process.pid})" in said, said
        assert store("store", "backup", "copy").stdout == "copy\n"
        fill(5)
        for command in (["compact"], ["restore", "copy"]):
            said = store("store", *command, status=1).stderr
            assert f"store is in use by process {broker.process.pid}" in said, said
        said = store("elsewhere", "restore", "store", status=1).stderr
        assert "a broker runs in store" in said, said
        refused = run(BROKER, "-c", "broker.yaml", status=2)
        assert f"in use by process {broker.process.pid}" in refused.stderr, refused
    assert retained("copy") == LAMPS and len(retained()) == 5
    assert store("copy", "check").stdout.startswith("ok: ")


def test_backup_and_restore():
    make_store()
    store("store", "backup", "copy")
    assert os.stat("copy").st_mode & 0o777 == 0o600
    assert "copy exists already" in store("store", "backup", "copy", status=1).stderr
    os.mkdir("copies")
    assert store("store", "backup", "copies").stdout == "copies/data.mdb\n"
    assert sorted(os.listdir("copies")) == ["data.mdb"] and "copy.part" not in os.listdir(".")
    with Broker():
        fill(5)
    assert store("store", "restore", "copy").stdout == "the old store is now store/data.mdb.replaced\n"
    assert retained() == LAMPS and len(retained("store/data.mdb.replaced")) == 5
    assert store("store", "restore", "copies").stdout == "the old store is now store/data.mdb.replaced-2\n"
    with Broker():
        fill(4)
    assert len(retained()) == 4
    assert store("new", "restore", "store").stdout == ""
    assert len(retained("new")) == 4
    for path in ("store", "store/data.mdb"):
        assert "is the store itself" in store("store", "restore", path, status=1).stderr
    assert sorted(os.listdir("copies")) == ["data.mdb"] and not os.path.exists("copy-lock")


def test_nothing_of_ours_stays_in_a_store():
    """LMDB's own file would belong to who made the backup, and the broker could not open it."""
    make_store()
    store("store", "compact")
    assert "data.mdb-lock" not in os.listdir("store")
    store("store", "backup", "copy")
    assert "data.mdb-lock" not in os.listdir("store")



def test_compact():
    make_store()
    with Broker():
        for _ in range(5):
            fill(20)
    before = os.stat("store/data.mdb").st_size
    assert store("store", "compact").stdout == ""
    assert os.stat("store/data.mdb").st_size < before
    assert len(retained()) == 20 and store("store", "check").stdout.startswith("ok: ")
    with Broker():
        fill(21)
    assert len(retained()) == 21


def damage():
    data = bytearray(Path("store/data.mdb").read_bytes())
    at = data.rindex(b"home/lamp/1")
    while at >= 0:
        data[at] ^= 0x20
        at = data.rfind(b"home/lamp/1", 0, at)
    Path("store/data.mdb").write_bytes(data)


def test_damage():
    make_store()
    store("store", "backup", "copy")
    damage()
    said = store("store", "check", status=1).stderr
    assert re.search(r"data\.mdb is damaged: table 'retained', page \d+ \(offset \d+\): "
                     r"the checksum of a row is wrong", said), said
    done = store("store", "dump", status=1)
    kept = {line["topic"] for line in map(json.loads, done.stdout.splitlines()) if line.get("table") == "retained"}
    assert kept == LAMPS - {"home/lamp/1"} and "is damaged" in done.stderr, done
    for command in (["info"], ["compact"], ["backup", "other"]):
        assert "is damaged" in store("store", *command, status=1).stderr
    assert not os.path.exists("other") and "data.mdb.new" not in os.listdir("store")
    refused = run(BROKER, "-c", "broker.yaml", status=2).stderr
    assert "is damaged" in refused and "broker-store store check" in refused.replace("./", ""), refused
    os.truncate("copy", 9000)
    assert "is damaged" in store("store", "restore", "copy", status=1).stderr
    assert "data.mdb.replaced" not in os.listdir("store")


def lose_a_page():
    """Both meta pages count one more than the file's trees and lists have."""
    data = bytearray(Path("store/data.mdb").read_bytes())
    at = 16 + 24 + 2 * 48  # header, numbers, the records of two trees
    for page in (0, 4096):
        last = int.from_bytes(data[page + at:page + at + 8], sys.byteorder) + 1
        data[page + at:page + at + 8] = last.to_bytes(8, sys.byteorder)
    data.extend(bytes(max(0, (last + 1) * 4096 - len(data))))
    Path("store/data.mdb").write_bytes(data)


def test_lost_pages():
    make_store()
    lose_a_page()
    assert "1 pages are in no list: harmless" in store("store", "check").stdout
    store("store", "backup", "copy")
    assert retained("copy") == LAMPS
    store("store", "compact")
    assert retained() == LAMPS


def set_lmdb_version(version):
    """The version word of LMDB's format, in both meta pages."""
    data = bytearray(Path("store/data.mdb").read_bytes())
    for page in (0, 4096):
        data[page + 20:page + 24] = version.to_bytes(4, sys.byteorder)
    Path("store/data.mdb").write_bytes(data)


def test_another_version_of_lmdb():
    make_store()
    set_lmdb_version(2)
    not_verified = "data.mdb was not verified: its file has version 2 of LMDB's format"
    for command in (["check"], ["backup", "copy"], ["compact"]):
        assert not_verified in store("store", *command, status=1).stderr
    for command in (["info"], ["dump"]):  # LMDB is asked, and the installed one refuses
        said = store("store", *command, status=1).stderr
        assert not_verified in said and "LMDB's format that the installed library" in said, said
    checked = run(BROKER, "-c", "broker.yaml", "--check", status=2).stderr
    assert "LMDB's format that the installed library" in checked, checked
    refused = run(BROKER, "-c", "broker.yaml", status=2).stderr
    assert "event=store-unverified" in refused and "found=2 known=1" in refused, refused
    assert "event=store-refused" in refused and "installed library" in refused, refused
    set_lmdb_version(1)
    store("store", "check")
    assert retained() == LAMPS


def test_after_damage():
    make_store()
    store("store", "backup", "copy")
    damage()
    store("store", "restore", "copy")
    with Broker():
        pass
    assert retained() == LAMPS


def test_a_store_that_is_older_than_it_was():
    make_store()
    shutil.copy("store/data.mdb", "old")
    with Broker():
        fill(5)
    os.replace("old", "store/data.mdb")
    said = store("store", "check", status=1).stderr
    assert "older than what was acknowledged" in said, said


def test_what_is_no_store():
    assert "cannot be opened" in store("nowhere", "check", status=1).stderr
    assert "is not a store" in store("nowhere", "compact", status=1).stderr
    assert "cannot be opened" in store("nowhere", "backup", "copy", status=1).stderr
    os.mkdir("empty")
    assert "cannot be opened" in store("empty", "info", status=1).stderr
    Path("text").write_text("not a store at all, but some text\n" * 99, encoding="utf-8")
    assert "not an LMDB file" in store("text", "check", status=1).stderr
    assert "not an LMDB file" in store("empty", "restore", "text", status=1).stderr
    assert "cannot be opened" in store("empty", "restore", "nowhere", status=1).stderr


def without_commit(text):
    """The number of a commit is that of a file."""
    return [line for line in text.splitlines() if '"key":"commit"' not in line]


def test_a_dump_is_loaded():
    """By a file and by a pipe; the store that was there is kept beside it, and the broker goes on with the new one."""
    make_store()
    dumped = store("store", "dump").stdout
    Path("dump").write_text(dumped, encoding="utf-8")
    assert store("other", "load", "dump").stdout == ""
    assert without_commit(store("other", "dump").stdout) == without_commit(dumped)
    assert store("other", "check").stdout.startswith("ok: ")
    assert "the old store is now other/data.mdb.replaced" in store("other", "load", "dump").stdout
    done = run("/bin/sh", "-c", f"'{STORE}' store dump | '{STORE}' third load -", status=0)
    assert done.stderr == "" and retained("third") == LAMPS
    os.rename("store", "first")
    os.rename("third", "store")
    with Broker():
        assert retained("store") == LAMPS


def test_a_dump_beside_a_broker_is_loaded():
    with Broker():
        fill()
        dumped = store("store", "dump").stdout
        Path("dump").write_text(dumped, encoding="utf-8")
        refused = store("store", "load", "dump", status=1)
        assert "process" in refused.stderr, refused
    store("other", "load", "dump")
    assert retained("other") == LAMPS


def broken_dumps(dumped):
    """(what is wrong, its text, what is said)"""
    lines = dumped.splitlines(keepends=True)
    end = json.loads(lines[-1])["rows"]
    yield "nothing", "", "line 1: there is no dump"
    yield "something else", "hello\n", "line 1: is not a line of a dump"
    yield "another object", '{"a":1}\n', "line 1: does not begin a dump of broker-store"
    yield "no first line", "".join(lines[1:]), "line 1: does not begin a dump"
    yield "a version to come", dumped.replace('"vakt_dump":1', '"vakt_dump":2', 1), "another version of broker-store"
    yield "a format to come", re.sub(r'"format":\d+', '"format":99', dumped, count=1), "the store is of format 99"
    yield "cut between lines", "".join(lines[:-1]), "the dump ends here, and is not complete"
    yield "cut within a line", dumped[:-3], "the dump ends here, and is not complete"
    yield "a row is missing", "".join(lines[:3] + lines[4:]), f"line {end + 1}: the dump had another number of rows"
    yield "a row more", "".join(lines[:3] + lines[2:]), f"line {end + 3}: the dump had another number of rows"
    yield "a row is wrong", dumped.replace('"qos":1', '"qos":3'), "is not a row of a store"
    yield "damage", "".join(lines[:3] + ['{"table":"will","unreadable":true,"key":"aw==","value":"dg=="}\n'] + lines[4:]), "line 4: "
    yield "a long number", dumped.replace('"rows":', '"rows":99999999999999999999'), "is not a line of a dump"


def test_a_dump_that_is_not_whole_changes_nothing():
    make_store()
    before, files = Path("store/data.mdb").read_bytes(), sorted(os.listdir("store"))
    for name, text, said in broken_dumps(store("store", "dump").stdout):
        Path("dump").write_text(text, encoding="utf-8")
        done = store("store", "load", "dump", status=1)
        assert said in done.stderr and done.stderr.count("\n") == 1, (name, done)
        assert sorted(set(os.listdir("store")) | {"data.mdb-lock"}) == sorted({*files, "data.mdb-lock"}), (name, os.listdir("store"))
        assert Path("store/data.mdb").read_bytes() == before, name
    assert "cannot be opened" in store("store", "load", "nowhere", status=1).stderr


def named_backups(*days):
    """So many days old, as the tool would have named them."""
    os.mkdir("backups", 0o700)
    names = [time.strftime("vakt-%Y%m%dT%H%M%SZ.mdb", time.gmtime(time.time() - day * 86400)) for day in days]
    for name in [*names, "vakt-mine.mdb", "notes"]:
        Path("backups", name).write_text("old", encoding="utf-8")
    return names


def keep(*options):
    """The backups that stay besides the new one, which is whole."""
    made = store("store", "backup", *options, "backups").stdout.strip()
    assert re.fullmatch(r"backups/vakt-\d{8}T\d{6}Z\.mdb", made) and retained(made) == LAMPS
    found = set(os.listdir("backups"))
    assert {"vakt-mine.mdb", "notes", os.path.basename(made)} <= found
    return found - {"vakt-mine.mdb", "notes", os.path.basename(made)}


def test_old_backups_are_removed():
    make_store()
    for options, days, stay in ((["--keep", "3"], (1, 2, 3, 4), 2), (["--keep", "9"], (1, 2), 2), (["--keep", "1"], (1, 2), 0),
                                (["--keep-days", "3"], (1, 2, 4, 5), 2), (["--keep-days", "1"], (2, 3), 0),
                                (["--keep", "2", "--keep-days", "3"], (1, 2, 4), 2), (["--keep", "3", "--keep-days", "1"], (2, 3, 4), 2)):
        names = named_backups(*days)
        assert keep(*options) == set(names[:stay]), (options, days)
        shutil.rmtree("backups")


def test_a_backup_that_fails_removes_nothing():
    make_store()
    names = named_backups(1, 2)
    damage()
    assert "is damaged" in store("store", "backup", "--keep", "1", "backups", status=1).stderr
    assert set(os.listdir("backups")) == {*names, "vakt-mine.mdb", "notes"}
    assert "is no directory" in store("store", "backup", "--keep", "1", "backups/notes", status=1).stderr


def test_long_work_is_shown_on_a_terminal():
    """A pipe that is slow makes the work long: it goes on when the bar was seen. Nothing is left of it, and nowhere else is one."""
    make_store()
    dumped = store("store", "dump").stdout.encode()
    for is_terminal in (True, False):
        end, stderr = pty.openpty() if is_terminal else os.pipe()
        child = subprocess.Popen([STORE, f"shown-{is_terminal}", "load", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr)
        os.close(stderr)
        child.stdin.write(dumped[:-10])
        child.stdin.flush()
        seen = b""
        if is_terminal:
            while b"loading" not in seen:
                seen += os.read(end, 4096)
        child.stdin.write(dumped[-10:])
        child.stdin.close()
        assert child.wait(TIMEOUT_S) == 0
        while (more := read_end(end)):
            seen += more
        os.close(end)
        assert seen.endswith(b"\r") if is_terminal else seen == b"", seen


def read_end(fd):
    """A terminal whose other end is closed ends with an error."""
    try:
        return os.read(fd, 4096)
    except OSError:
        return b""


def test_wrong_use():
    for words, said in WRONG_USE:
        done = store(*words, status=2)
        assert said in done.stderr and done.stderr.endswith(" (see broker-store --help)\n"), (words, done)
    assert store("--help").stdout.startswith("usage: broker-store")
    assert re.fullmatch(r"broker-store \d+\.\d+\.\d+\n", store("--version").stdout)


def main():
    tests = [(name, f) for name, f in globals().items() if name.startswith("test_")]
    failed = 0
    print(f"1..{len(tests)}")
    for number, (name, test) in enumerate(tests, 1):
        directory = tempfile.mkdtemp(prefix="vakt-store-")
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
