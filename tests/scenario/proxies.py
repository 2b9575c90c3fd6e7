"""PROXY headers as bytes, written from their specification; and Debian's HAProxy and nginx, which send them."""

import os
import shutil
import socket
import struct
import subprocess
from pathlib import Path

import pytest
from process import LineProcess

ROOT = Path(__file__).resolve().parents[2]
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
PP2_CRC32C, PP2_TLS, PP2_TLS_VERSION, PP2_TLS_CN = 0x03, 0x20, 0x21, 0x22


def v1(source, port=50123, destination=None):
    """A line: TCP4 or TCP6 by the address."""
    six = ":" in source
    return f"PROXY TCP{6 if six else 4} {source} {destination or ('::1' if six else '192.0.2.1')} {port} 8883\r\n".encode()


def field(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def v2(source=None, port=50123, fields=b"", command=PROXY):
    """Binary. Without a source: of no family."""
    if source is None:
        family, body = 0x00, b""
    else:
        which = socket.AF_INET6 if ":" in source else socket.AF_INET
        family = 0x21 if ":" in source else 0x11
        body = socket.inet_pton(which, source) * 2 + struct.pack("!HH", port, 8883)
    return SIGNATURE + struct.pack("!BBH", command, family, len(body + fields)) + body + fields


def tls_field(common_name=None, verify=0, version=b"TLSv1.3"):
    """What a proxy says of the client's TLS; with a common name: it gave a certificate."""
    inner = field(PP2_TLS_VERSION, version)
    if common_name is not None:
        inner += field(PP2_TLS_CN, common_name.encode() if isinstance(common_name, str) else common_name)
    client = 0x01 | (0x02 if common_name is not None else 0)
    return field(PP2_TLS, struct.pack("!BI", client, verify) + inner)


# programs

def find_server(name):
    """From Debian's package, installed or unpacked by tools/dependencies; the test is skipped without it."""
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
    unpacked = [path for place in ("usr/sbin", "usr/bin") if (path := ROOT / "build-check" / name / place / name).exists()]
    if found is None and not unpacked:
        pytest.skip(f"{name} is not there: tools/dependencies check")
    return Path(found or unpacked[0])


class Server:
    """A proxy that runs until it is left, and says so when it listens."""

    def __init__(self, command, ports, cwd):
        self.process = LineProcess([str(word) for word in command], stdin=subprocess.DEVNULL, cwd=cwd)
        self.ports = ports

    def __enter__(self):
        try:
            for port in self.ports:
                self.wait_port(port)
        except BaseException:
            self.process.kill()
            raise
        return self

    def wait_port(self, port):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=20).close()
                return
            except ConnectionRefusedError:
                assert not self.process.over, "\n".join(self.process.lines)
                self.process.changed.acquire()
                self.process.changed.wait(0.05)
                self.process.changed.release()

    def __exit__(self, *_):
        self.process.kill()


def haproxy(directory, frontends):
    """frontends: {port: (options of its bind, address of the server, options of the server)}"""
    lines = ["defaults", " mode tcp", " timeout connect 20s", " timeout client 60s", " timeout server 60s"]
    for port, (bind, server, options) in frontends.items():
        lines += [f"listen l{port}", f" bind 127.0.0.1:{port} {bind}", f" server s {server} {options}"]
    path = directory / "haproxy.cfg"
    path.write_text("\n".join(lines) + "\n")
    return Server([find_server("haproxy"), "-db", "-f", path], list(frontends), directory)


def nginx(directory, port, server):
    program = find_server("nginx")
    modules = program.parents[1] / "lib/nginx/modules"
    path = directory / "nginx.conf"
    path.write_text(f"""load_module {modules}/ngx_stream_module.so;
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr;
events {{ }}
stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass {server}; proxy_protocol on; }} }}
""")
    return Server([program, "-e", "stderr", "-p", directory, "-c", path], [port], directory)
