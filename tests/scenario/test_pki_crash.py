"""broker-pki killed, or without space, at each of its steps on files: the directory stays usable, keys and certificates
belong together, what was issued can be revoked."""

import os
import shutil
import signal

import pytest
from broker_fixture import ROOT
from private_pki import PRELOADED, PrivatePki, openssl, verify

INTERRUPT = os.environ.get("VAKT_INTERRUPT", str(ROOT / "build/tests/scenario/drivers/interrupt.so"))

COMMANDS = {
    "init": ["init"],
    "new keys": ["server", "--new-key", "lamp.house"],
    "renew": ["renew", "anna", "--new-key"],
    "revoke": ["revoke", "anna"],
    "crl": ["crl", "--days", "30"],
    "sign": ["sign", "its.csr", "--user", "anna"],
    "move-keys": ["move-keys", "disk"],
}


def rows(*short):
    """Each step is a run of the program: most commands are among the long tests."""
    return [pytest.param(name, marks=() if name in short else pytest.mark.full) for name in COMMANDS]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    pki = PrivatePki(tmp_path_factory.mktemp("house"))
    pki.run("client", "anna")
    openssl("req", "-new", "-nodes", "-newkey", "ed25519", "-keyout", "its.key", "-out", "its.csr", "-subj", "/CN=anna",
            cwd=pki.home)
    return pki


def interrupted(how):
    return {"LD_PRELOAD": INTERRUPT, "VAKT_INTERRUPT": how, "ASAN_OPTIONS": PRELOADED}


def copy_of(made, directory, name):
    home = directory / name
    home.mkdir()
    (home / "disk").mkdir(mode=0o700)
    if name.startswith("init"):
        return PrivatePki(home, made=False)
    shutil.copytree(made.path, home / "pki")
    shutil.copy(made.home / "its.csr", home)
    return PrivatePki(home, made=False)


def steps_of(made, directory, words):
    pki = copy_of(made, directory, words[0] + "-counted")
    pki.run(*words, environment=interrupted(f"count {directory / 'count'}"))
    return int((directory / "count").read_text())


def check(pki):
    """After the next command, whatever it is, all belongs together."""
    if not pki.file("server-ca.crt").exists() or not pki.file("client-ca.crt").exists():
        pki.run("init")
    pki.run("server", "--if-needed", "localhost", "127.0.0.1") if pki.file("server-ca.key").exists() else pki.call("crl")
    names = {serial for serial, *_ in pki.entries()}
    for certificate in (pki.path / "issued").glob("*.crt"):
        serial = openssl("x509", "-in", certificate, "-noout", "-serial").strip().split("=")[1].lower().lstrip("0")
        assert serial in {name.lstrip("0") for name in names}, "a certificate that could not be revoked"
        authority = "client-ca" if certificate.name.startswith("client-") else "server-ca"
        assert verify(pki, authority, certificate).endswith("OK\n")
        key = certificate.with_suffix(".key")
        if key.exists():
            assert openssl("pkey", "-in", key, "-pubout") == openssl("x509", "-in", certificate, "-noout", "-pubkey")
    assert not list(pki.path.rglob("*.new")) and not list(pki.path.rglob("*.part")), "left behind"


@pytest.mark.parametrize("name", rows("new keys", "sign"))
def test_a_kill_at_any_step_leaves_a_usable_directory(made, tmp_path, name):
    words = COMMANDS[name]
    steps = steps_of(made, tmp_path, words)
    assert steps > 3
    for step in range(1, steps + 1):
        pki = copy_of(made, tmp_path, f"{words[0]}-{step}")
        done = pki.call(*words, environment=interrupted(f"kill {step}"))
        assert done.returncode == -signal.SIGKILL, (step, done)
        check(pki)


@pytest.mark.parametrize("name", rows("renew"))
def test_a_full_disk_at_any_step_is_told_and_loses_nothing(made, tmp_path, name):
    words = COMMANDS[name]
    steps = steps_of(made, tmp_path, words)
    for step in range(1, steps + 1):
        pki = copy_of(made, tmp_path, f"{words[0]}-{step}")
        done = pki.call(*words, environment=interrupted(f"full {step}"))
        assert done.returncode == 0 or "No space left on device" in done.stderr, (step, done)
        check(pki)


def test_a_killed_revocation_never_forgets_whom_it_had_marked(made, tmp_path):
    """Once the index says revoked, the next list has it."""
    words = COMMANDS["revoke"]
    for step in range(1, steps_of(made, tmp_path, words) + 1):
        pki = copy_of(made, tmp_path, f"revoke-{step}")
        pki.call(*words, environment=interrupted(f"kill {step}"))
        marked = any(state.startswith("revoked") for *_, state in pki.entries())
        if marked:
            pki.run("crl")
            assert "certificate revoked" in verify(pki, "client-ca", pki.issued("client-anna.crt"), "-crl_check", "-CRLfile",
                                                   pki.file("client-ca.crl"))
