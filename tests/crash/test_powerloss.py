"""The disk that loses power: synced data stays, other data may be lost, and requested failures happen."""

import os
import signal
import subprocess
import sys

import pytest

LIBRARY = os.environ["VAKT_POWERLOSS"]
PAGE = 4096


def run(directory, script, *, cut=0, seed=1, trouble=None):
    """Run Python on this disk; returns its exit status."""
    environment = {**os.environ, "LD_PRELOAD": LIBRARY, "VAKT_DISK": str(directory), "VAKT_DISK_SEED": str(seed),
                   "VAKT_DISK_CUT": str(cut), "VAKT_DISK_TROUBLE": str(trouble or "/nowhere")}
    head = f"import os\npath = {str(directory / 'data')!r}\n"
    done = subprocess.run([sys.executable, "-I", "-c", head + script], env=environment, check=False,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.fixture
def disk(tmp_path):
    """A file of four pages of 'a', synced long ago."""
    (tmp_path / "data").write_bytes(b"a" * 4 * PAGE)
    return tmp_path


def outcomes(disk, script, cut):
    """What the file held after the cut, over seeds."""
    found = set()
    for seed in range(1, 25):
        (disk / "data").write_bytes(b"a" * 4 * PAGE)
        assert run(disk, script, cut=cut, seed=seed) == -signal.SIGKILL
        found.add((disk / "data").read_bytes())
    return found


OPEN = "fd = os.open(path, os.O_RDWR)\n"
WRITE = f"os.pwrite(fd, b'b' * {2 * PAGE}, {PAGE})\n"
NEW = b"a" * PAGE + b"b" * 2 * PAGE + b"a" * PAGE
OLD = b"a" * 4 * PAGE


def test_synced_stays(disk):
    assert outcomes(disk, OPEN + WRITE + "os.fdatasync(fd)\n" + WRITE.replace("b'b'", "b'c'"), 3) == {NEW}


def test_unsynced_is_dropped_kept_or_torn(disk):
    found = outcomes(disk, OPEN + WRITE + "os.fdatasync(fd)\n", 2)
    assert OLD in found and NEW in found and len(found) > 4
    torn = next(one for one in found if one not in (OLD, NEW))
    for sector in range(0, len(torn), 512):
        assert len(set(torn[sector:sector + 512])) == 1


def test_written_through_is_durable(disk):
    through = f"other = os.open(path, os.O_RDWR | os.O_DSYNC)\nos.pwrite(other, b'm' * 512, {PAGE})\n"
    for found in outcomes(disk, OPEN + WRITE + through + "os.fdatasync(fd)\n", 3):
        assert found[PAGE:PAGE + 512] == b"m" * 512


def test_length_that_was_not_synced(disk):
    found = {len(one) for one in outcomes(disk, OPEN + f"os.pwrite(fd, b'b' * 100, {4 * PAGE})\nos.fdatasync(fd)\n", 2)}
    assert found == {4 * PAGE, 4 * PAGE + 100}


def test_what_a_failed_sync_left_is_lost(disk):
    trouble = disk.parent / f"{disk.name}.trouble"
    script = (OPEN + WRITE + f"open({str(trouble)!r}, 'w').write('sync 5')\n"
              "try: os.fdatasync(fd)\nexcept OSError as e: assert e.errno == 5\n"
              f"os.unlink({str(trouble)!r})\nos.fdatasync(fd)\nos.pwrite(fd, b'c', 0)\n")
    kept = set()
    for seed in range(1, 16):
        (disk / "data").write_bytes(OLD)
        assert run(disk, script, cut=4, seed=seed, trouble=trouble) == -signal.SIGKILL
        kept.add((disk / "data").read_bytes()[PAGE:])
    assert kept == {OLD[PAGE:], NEW[PAGE:]}


def test_name_that_was_not_synced(disk):
    script = ("fd = os.open(path + '.new', os.O_RDWR | os.O_CREAT)\nos.write(fd, b'x')\nos.fsync(fd)\n"
              "%sos.write(fd, b'y')\n")
    there = set()
    for seed in range(1, 25):
        (disk / "data.new").unlink(missing_ok=True)
        run(disk, script % "", cut=3, seed=seed)
        there.add((disk / "data.new").exists())
    assert there == {True, False}
    for seed in range(1, 12):
        (disk / "data.new").unlink(missing_ok=True)
        run(disk, script % "os.fsync(os.open(os.path.dirname(path), os.O_RDONLY))\n", cut=4, seed=seed)
        assert (disk / "data.new").read_bytes()[:1] == b"x"


@pytest.mark.parametrize("kind, number", [("write", 28), ("write", 5), ("short", 28), ("sync", 5)])
def test_trouble(disk, kind, number):
    trouble = disk.parent / f"{disk.name}.trouble"
    trouble.write_text(f"{kind} {number} 0")
    expect = {"write": "try: os.pwrite(fd, b'b' * 100, 0)\nexcept OSError as e: assert e.errno == %d\nelse: raise 0\n",
              "short": "assert os.pwrite(fd, b'b' * 100, 0) == 50\ntry: os.pwrite(fd, b'b' * 50, 50)\n"
                       "except OSError as e: assert e.errno == %d\nelse: raise 0\n",
              "sync": "os.pwrite(fd, b'b', 0)\ntry: os.fdatasync(fd)\nexcept OSError as e: assert e.errno == %d\n"
                      "else: raise 0\n"}[kind] % number
    script = OPEN + expect + f"os.unlink({str(trouble)!r})\nos.pwrite(fd, b'c', 0)\nos.fdatasync(fd)\n"
    assert run(disk, script, trouble=trouble) == 0
    assert (disk / "data").read_bytes()[:1] == b"c"
