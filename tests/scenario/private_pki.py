"""A private PKI as a person makes it: the directory that broker-pki works in, beside broker.yaml."""

import os
import subprocess

from broker_fixture import ENVIRONMENT, ROOT
from process import TIMEOUT_S

PKI = os.environ.get("VAKT_PKI", str(ROOT / "build/tools/broker-pki"))
WALL_CLOCK = os.environ.get("VAKT_WALL_CLOCK", str(ROOT / "build/tests/scenario/drivers/wall_clock.so"))
# A preloaded library comes before that of the sanitizer, which would mind.
PRELOADED = ENVIRONMENT.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"


class PrivatePki:
    def __init__(self, directory, *, made=True):
        self.home = directory
        self.path = directory / "pki"
        if made:
            self.run("init", "--name", "tests")
            self.run("server", "localhost", "127.0.0.1")

    def call(self, *words, environment=None, stdin=None):
        return subprocess.run([PKI, "-d", str(self.path), *words], cwd=self.home, text=True, input=stdin,
                              capture_output=True, check=False, timeout=TIMEOUT_S,
                              env={**ENVIRONMENT, **(environment or {})})

    def run(self, *words, **options):
        done = self.call(*words, **options)
        assert done.returncode == 0, f"broker-pki {words}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def refuse(self, *words, status=2, **options):
        """What it says when it refuses."""
        done = self.call(*words, **options)
        assert done.returncode == status, f"broker-pki {words} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stderr

    def at_time(self, wrong_by_s):
        """The environment of a machine whose clock is wrong by so many seconds."""
        file = self.home / "clock"
        file.write_text(str(wrong_by_s))
        return {"LD_PRELOAD": WALL_CLOCK, "VAKT_WALL_CLOCK": str(file), "ASAN_OPTIONS": PRELOADED}

    def file(self, name):
        return self.path / name

    def issued(self, name):
        return self.path / "issued" / name

    def entries(self):
        """The lines of the index, each as (serial, kind, name, state)."""
        lines = [line.split(" ") for line in self.file("index").read_text().splitlines() if not line.startswith("#")]
        return [(serial, kind, name, state) for serial, kind, name, _, _, state, _ in lines]

    def tls(self):
        """As `init` prints it for broker.yaml."""
        return {"tls": {"certificates": [{"certificate": str(self.issued(f"server-{key}.crt")),
                                          "key": str(self.issued(f"server-{key}.key"))} for key in ("ec", "rsa")],
                        "client_certificates": "optional", "client_ca": str(self.file("client-ca.crt")),
                        "client_crl": str(self.file("client-ca.crl"))},
                "authentication": {"certificate_user": "cn"}}


def openssl(*arguments, cwd=None, check=True, stdin=None):
    done = subprocess.run(["openssl", *map(str, arguments)], cwd=cwd, text=True, input=stdin, capture_output=True,
                          check=False, timeout=TIMEOUT_S)
    assert not check or done.returncode == 0, f"openssl {arguments}: {done.stderr}"
    return done.stdout + done.stderr


def verify(pki, authority, certificate, *options):
    return openssl("verify", "-x509_strict", "-CAfile", pki.file(f"{authority}.crt"), *options, certificate, check=False)


def text_of(certificate):
    return openssl("x509", "-in", certificate, "-noout", "-text")
