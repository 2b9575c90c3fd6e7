"""A broker directory that an older version left: tests/compat/COMMIT/house, with free ports and new certificates."""

import lzma
import re
import shutil

import broker_fixture

COMPAT = broker_fixture.ROOT / "tests/compat"
COMMIT = "887b23b"
FOREVER = {"session_expiry_interval": 0xFFFFFFFE}
PLAIN, CERTIFICATE, PREFIX, UNIX = range(4)  # the listeners of its broker.yaml
AHEAD = 70  # messages that its session `replay` is to get first
REPLAYED = 40  # retained values that its session `replay` has not had yet
OUT_IDS = (1, 2, 3)  # packet identifiers of what its session `out` was sent
PROPS = {"payload_format_indicator": 1, "content_type": "text/plain", "response_topic": "answer/here",
         "correlation_data": b"\x00\x01", "user_property": [("a", "1"), ("a", "2")]}
LARGE = bytes(range(256)) * 40  # on pages of its own


class ODD:
    """Names with control characters and noncharacters, which 887b23b took: tests/compat/887b23b/names has them."""
    user = "b\uffffob"
    client = "lamp\x01"
    filter = "odd/\x02/+"
    topic = "odd/\x02/bell\x07"
    share = "$share/g\x03/odd-share/#"
    shared = "odd-share/\x7f"
    answer = "answer/\x1b[31m"
    will = "wills/\ufdd0"
    retained = ("kept/bell\x07", "kept/\u0085", "kept/\U0001fffe")


def use_free_ports(text):
    """(text, ports): each port of the loopback interface in a configuration is replaced by a free one."""
    ports = []

    def replace(found):
        ports.append(broker_fixture.free_port())
        return f"{found[1]}{ports[-1]}"
    return re.sub(r'(bind: "(?:127\.0\.0\.1|\[::\]):)\d+', replace, text), ports


class OldBroker(broker_fixture.BrokerFixture):
    """Everything except certificates and ports comes from `source`, the store too if it has one."""

    def __init__(self, directory, pki, source):  # pylint: disable=super-init-not-called
        self.directory, self.pki, self.environment, self.limit = directory, pki, broker_fixture.ENVIRONMENT, None
        self.process = None
        for name in ("acl.yaml", "users.passwd"):
            if (source / name).exists():
                self.write_file(name, (source / name).read_text(encoding="utf-8"))
        text, ports = use_free_ports((source / "broker.yaml").read_text(encoding="utf-8"))
        self.write_file("broker.yaml", text)
        binds = [f"127.0.0.1:{port}" for port in ports]
        if "unix:broker.sock" in text:
            binds.append(f"unix:{directory}/broker.sock")
        self.config = {"listeners": [{"bind": bind} for bind in binds]}
        self.copy_certificates()
        if (source / "data.mdb.xz").exists():
            self.copy_store(source)

    def copy_certificates(self):
        self.pki.authority("clients")
        self.pki.revoke("clients", "clients.crl")
        for name in ("server-ec.crt", "server-ec.key", "server-rsa.crt", "server-rsa.key", "clients.crt",
                     "clients.crl"):
            shutil.copy2(self.pki.path(name), self.directory / name)

    def copy_store(self, source):
        (self.directory / "store").mkdir(mode=0o700)
        for name, data in (("data.mdb", lzma.decompress((source / "data.mdb.xz").read_bytes())),
                           ("note", (source / "note").read_bytes())):
            path = self.directory / "store" / name
            path.write_bytes(data)
            path.chmod(0o600)

    @property
    def certificate_context(self):
        """A client of the user porch, who has a certificate instead of a password."""
        # pylint: disable=import-outside-toplevel
        from wire import tls_context
        return tls_context(self.pki, certificate=self.pki.client("clients", "porch", "porch"))
