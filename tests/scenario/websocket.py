"""A WebSocket client that does what it is told: MQTT over it reads and writes like a socket, so that a Wire can have it."""

import base64
import contextlib
import ssl
import struct

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
WOULD_BLOCK = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)
KEY = base64.b64encode(bytes(range(16))).decode()
ACCEPT = "Bz3qJYTGdOe8gUSpLosEdiLKDrk="  # RFC 6455 4.2.2, of that key


def upgrade_request(host, path="/mqtt", **fields):
    """The request of a client; a field that is None is left out."""
    lines = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY,
             "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "mqtt"}
    lines.update({name.replace("_", "-"): value for name, value in fields.items()})
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"GET {path} HTTP/1.1\r\n{text}\r\n".encode()


def read_head(stream):
    """(status, {name: value}, what came after it)"""
    data = b""
    while b"\r\n\r\n" not in data:
        more = stream.recv(65536)
        assert more, f"the broker closed after {data!r}"
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, rest


def frame(first, payload=b"", *, mask=b"\x37\xfa\x21\x3d"):
    """`mask` None: as a client must not send it."""
    size, bit = len(payload), 0 if mask is None else 0x80
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


class WebSocket:
    """Over a connected stream, upgraded. `cut`: so many bytes of MQTT in a frame, else each call makes one; the frames of
    a call leave together."""

    def __init__(self, stream, *, path="/mqtt", cut=None, upgrade=True):
        self.stream, self.cut, self.path = stream, cut, path
        self.raw, self.plain, self.pongs, self.close_code = b"", b"", [], None
        self.unsent = b""  # of a frame that `send` began
        if upgrade:
            host, port = stream.getpeername()[:2]
            stream.sendall(upgrade_request(f"{host}:{port}", path))
            status, self.head, self.raw = read_head(stream)
            assert status == 101 and self.head["sec-websocket-accept"] == ACCEPT, (status, self.head)

    def sendall(self, data):
        step = self.cut or len(data) or 1
        parts = [data[at:at + step] for at in range(0, len(data), step)]
        self.stream.sendall(b"".join(frame(FIN | BINARY, part) for part in parts))

    def setblocking(self, wanted):
        self.stream.setblocking(wanted)

    def send(self, data):
        """Of a stream that does not block: all of it, in a frame, or an exception where that before has not left."""
        self.flush()
        self.unsent = frame(FIN | BINARY, data)
        with contextlib.suppress(*WOULD_BLOCK):
            self.flush()
        return len(data)

    def flush(self):
        while self.unsent:
            self.unsent = self.unsent[self.stream.send(self.unsent):]

    def send_frame(self, first, payload=b"", **options):
        self.stream.sendall(frame(first, payload, **options))

    def recv(self, size):
        """Bytes of MQTT; none: it is over, and close_code says why."""
        while not self.plain:
            if self.close_code is not None or not self.take_frame():
                return b""
        data, self.plain = self.plain[:size], self.plain[size:]
        return data

    def take_frame(self):
        while (found := self.split()) is None:
            with contextlib.suppress(*WOULD_BLOCK):
                self.flush()
            data = self.stream.recv(65536)
            if not data:
                return False
            self.raw += data
        first, payload = found
        assert first in (FIN | BINARY, FIN | CLOSE, FIN | PONG), hex(first)
        if first == FIN | BINARY:
            self.plain += payload
        elif first == FIN | PONG:
            self.pongs.append(payload)
        else:
            self.close_code = struct.unpack("!H", payload[:2])[0] if payload else 1005
        return True

    def split(self):
        if len(self.raw) < 2:
            return None
        first, size = self.raw[0], self.raw[1]
        assert size < 0x80, "a server's frame is not masked"
        at = 2
        if size >= 126:
            form = "!H" if size == 126 else "!Q"
            if len(self.raw) < at + struct.calcsize(form):
                return None
            size = struct.unpack_from(form, self.raw, at)[0]
            at += struct.calcsize(form)
        if len(self.raw) < at + size:
            return None
        payload, self.raw = self.raw[at:at + size], self.raw[at + size:]
        return first, payload

    def pong(self):
        while not self.pongs:
            assert self.take_frame(), "closed"
        return self.pongs.pop(0)

    def end(self):
        """Read to the end: the code of the broker's Close."""
        while self.recv(65536):
            pass
        return self.close_code

    def setsockopt(self, *arguments):
        self.stream.setsockopt(*arguments)

    def settimeout(self, seconds):
        self.stream.settimeout(seconds)

    def fileno(self):
        return self.stream.fileno()

    def close(self):
        self.stream.close()
