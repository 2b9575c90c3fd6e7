"""A Zigbee radio on TCP, for zigbee2mqtt: a coordinator that speaks deCONZ's serial protocol, and the devices around it.

The network is as small as it can be: devices answer at once and nothing is lost. What is emulated: the network's parameters, APS data
requests, confirmations and indications; of the device profile joining, descriptors, bindings; of the cluster library reading,
writing and reporting attributes, and switching lamps on and off."""

import socket
import struct
import threading

END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD
READ_STATE, CHANGE_STATE, READ_PARAMETER, WRITE_PARAMETER, READ_FIRMWARE, STATE_CHANGED = 0x07, 0x08, 0x0A, 0x0B, 0x0D, 0x0E
CONFIRM, REQUEST, INDICATION = 0x04, 0x12, 0x17
CONNECTED = 2
HAS_CONFIRM, HAS_INDICATION, FREE_SLOTS = 0x04, 0x08, 0x20
BY_GROUP, BY_NETWORK_ADDRESS, BY_EXTENDED_ADDRESS = 1, 2, 3
DEVICE_PROFILE, HOME_AUTOMATION = 0x0000, 0x0104
COORDINATOR, BROADCAST = 0x0000, 0xFFFC
# Of an adapter that has no network yet. Network key and endpoints have an index.
OWN_ADDRESS = struct.pack("<Q", 0x00212EFFFF000001)
CHANNEL_MASK, TRUST_CENTER, ENDPOINT, NETWORK_KEY, CHANNEL = 0x0A, 0x0E, 0x13, 0x18, 0x1C
INDEXED = (ENDPOINT, NETWORK_KEY)
NEW_ADAPTER = {bytes([0x01]): OWN_ADDRESS, bytes([0x05]): struct.pack("<H", 0xFFFF), bytes([0x07]): bytes(2), bytes([0x08]): bytes(8),
               bytes([CHANNEL_MASK]): struct.pack("<I", 1 << 15), bytes([0x0B]): bytes(8), bytes([TRUST_CENTER]): bytes(8),
               bytes([ENDPOINT, 0]): b"", bytes([ENDPOINT, 1]): b"", bytes([NETWORK_KEY, 0]): bytes(16), bytes([0x19]): bytes(4),
               bytes([CHANNEL]): bytes([15]), bytes([0x22]): struct.pack("<H", 0x010E), bytes([0x24]): bytes(1),
               bytes([0x26]): bytes(4)}
BOOLEAN, UNSIGNED_8, ENUM_8, UNSIGNED_16, TEXT = 0x10, 0x20, 0x30, 0x21, 0x42
BASIC, ON_OFF, LEVEL = 0, 6, 8


def slip(frame):
    escaped = bytes(frame).replace(bytes([ESCAPE]), bytes([ESCAPE, ESCAPED_ESCAPE]))
    return bytes([END]) + escaped.replace(bytes([END]), bytes([ESCAPE, ESCAPED_END])) + bytes([END])


def unslip(chunk):
    return chunk.replace(bytes([ESCAPE, ESCAPED_END]), bytes([END])).replace(bytes([ESCAPE, ESCAPED_ESCAPE]), bytes([ESCAPE]))


def checksum(frame):
    return struct.pack("<H", -sum(frame) & 0xFFFF)


class Lamp:
    """A mains-powered device; each endpoint is a dimmable lamp."""

    def __init__(self, address, extended_address, model, manufacturer="Vakt", endpoints=(1,)):
        self.address, self.extended_address, self.endpoints = address, extended_address, endpoints
        basic = {0: (UNSIGNED_8, 3), 1: (UNSIGNED_8, 1), 2: (UNSIGNED_8, 1), 3: (UNSIGNED_8, 1), 4: (TEXT, manufacturer),
                 5: (TEXT, model), 6: (TEXT, "20260101"), 7: (ENUM_8, 1), 0x4000: (TEXT, "1.0.0")}
        self.attributes = {endpoint: {BASIC: basic, ON_OFF: {0: (BOOLEAN, 0), 0x4003: (ENUM_8, 0)},
                                      LEVEL: {0: (UNSIGNED_8, 254)}} for endpoint in endpoints}

    @property
    def name(self):
        return f"0x{self.extended_address:016x}"

    def on(self, endpoint=1):
        return bool(self.attributes[endpoint][ON_OFF][0][1])

    def announcement(self):
        return bytes([0]) + struct.pack("<HQB", self.address, self.extended_address, 0x8E)

    # The device profile: request -> answer

    def profile(self, cluster, asdu):
        """(cluster, payload) of the answer to a request of the device profile, or None."""
        number, address = asdu[:1], struct.pack("<H", self.address)
        answer = number + b"\0"
        if cluster in (0x0000, 0x0001):
            answer += struct.pack("<QH", self.extended_address, self.address)
        elif cluster == 0x0002:
            # A router of the 2.4 GHz band on mains power; manufacturer 0x117C, buffers of 82 bytes.
            answer += address + bytes([0x01, 0x40, 0x8E]) + struct.pack("<HBHHHB", 0x117C, 82, 82, 0, 82, 0)
        elif cluster == 0x0004:
            clusters = struct.pack("<B5H", 5, BASIC, 3, 4, ON_OFF, LEVEL) + b"\0"
            descriptor = struct.pack("<BHHB", asdu[3], HOME_AUTOMATION, 0x0101, 1) + clusters
            answer += address + bytes([len(descriptor)]) + descriptor
        elif cluster == 0x0005:
            answer += address + bytes([len(self.endpoints), *self.endpoints])
        elif cluster not in (0x0021, 0x0022, 0x0034, 0x0036):
            answer = number + b"\x84" + address  # not supported
        return cluster | 0x8000, answer

    # The cluster library

    @staticmethod
    def value(kind, value):
        if kind == TEXT:
            return bytes([kind, len(value)]) + value.encode()
        return bytes([kind]) + (struct.pack("<H", value) if kind == UNSIGNED_16 else bytes([value]))

    def read(self, endpoint, cluster, asked):
        known = self.attributes[endpoint].get(cluster, {})
        body = b""
        for (attribute,) in struct.iter_unpack("<H", asked):
            body += struct.pack("<H", attribute)
            body += b"\0" + self.value(*known[attribute]) if attribute in known else b"\x86"
        return body

    def command(self, endpoint, cluster, command, body):
        """Switch and dim; what changed, as (cluster, attribute)."""
        own = self.attributes[endpoint]
        if cluster == ON_OFF and command in (0, 1, 2):
            own[ON_OFF][0] = (BOOLEAN, 1 - own[ON_OFF][0][1] if command == 2 else command)
            return [(ON_OFF, 0)]
        if cluster == LEVEL and command in (0, 4):
            own[LEVEL][0] = (UNSIGNED_8, body[0])
            own[ON_OFF][0] = (BOOLEAN, 1 if body[0] else 0)
            return [(LEVEL, 0), (ON_OFF, 0)]
        return []

    def frames(self, endpoint, cluster, frame):
        """(cluster, frame) of everything that the device says to a frame of the cluster library."""
        at = 3 if frame[0] & 0x04 else 1
        manufacturer, number, command, body = frame[1:at], frame[at:at + 1], frame[at + 1], frame[at + 2:]
        wants_answer = not frame[0] & 0x10
        head = bytes([0x18 | frame[0] & 0x04]) + manufacturer + number
        if frame[0] & 0x03 == 0:
            if command == 0:
                return [(cluster, head + b"\x01" + self.read(endpoint, cluster, body))]
            answers = {0x02: 0x04, 0x06: 0x07}
            if command in answers:
                return [(cluster, head + bytes([answers[command]]) + b"\0")]
            return [(cluster, head + b"\x0b" + bytes([command, 0x81]))] if wants_answer else []
        changed = self.command(endpoint, cluster, command, body)
        said = [(cluster, head + b"\x0b" + bytes([command, 0]))] if wants_answer else []
        return said + [(c, b"\x18\x01\x0a" + struct.pack("<H", a) + self.value(*self.attributes[endpoint][c][a]))
                       for c, a in changed]


class Coordinator(Lamp):
    """The adapter itself, as seen by the device profile."""

    def __init__(self, extended_address):
        super().__init__(COORDINATOR, extended_address, "coordinator")

    def frames(self, endpoint, cluster, frame):
        return []


class Radio:
    """Listens on the loopback interface; one program at a time may connect."""

    def __init__(self, *devices):
        self.parameters = dict(NEW_ADAPTER)
        (own,) = struct.unpack("<Q", OWN_ADDRESS)
        self.devices = {device.address: device for device in (Coordinator(own), *devices)}
        self.state = CONNECTED
        self.confirmations, self.indications = [], []
        self.lock = threading.Lock()
        self.connection = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def url(self):
        return f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self):
        while True:
            try:
                self.connection, _ = self.listener.accept()
            except OSError:  # closed
                return
            self.confirmations, self.indications = [], []
            rest = b""
            try:
                while chunk := self.connection.recv(4096):
                    *frames, rest = (rest + chunk).split(bytes([END]))
                    for frame in map(unslip, filter(None, frames)):
                        assert frame[-2:] == checksum(frame[:-2]), frame
                        with self.lock:
                            self.handle(frame[:-2])
            except OSError:  # the program is gone
                pass

    def close(self):
        self.listener.close()
        if self.connection is not None:
            self.connection.close()

    # Frames of the adapter: command, sequence number, status, length, and what the command says

    @property
    def flags(self):
        return (self.state | FREE_SLOTS | (HAS_CONFIRM if self.confirmations else 0)
                | (HAS_INDICATION if self.indications else 0))

    def say(self, command, number, content, status=0):
        frame = struct.pack("<BBBH", command, number, status, 5 + len(content)) + content
        self.connection.sendall(slip(frame + checksum(frame)))

    def say_payload(self, command, number, content, status=0):
        self.say(command, number, struct.pack("<H", len(content)) + content, status)

    def notify(self):
        self.say(STATE_CHANGED, 0, bytes([self.flags, 0]))

    def handle(self, frame):
        command, number = frame[0], frame[1]
        if command == READ_STATE:
            self.say(command, number, bytes([self.flags, 0, 0]))
        elif command == CHANGE_STATE:
            self.state = frame[5]
            self.say(command, number, bytes([self.state]))
        elif command == READ_FIRMWARE:
            self.say(command, number, bytes([0x00, 0x07, 0x80, 0x26]))
        elif command == READ_PARAMETER:
            key, _ = self.parameter(frame)
            self.say_payload(command, number, key + self.parameters.get(key, b""), 0 if key in self.parameters else 4)
        elif command == WRITE_PARAMETER:
            key, value = self.parameter(frame)
            self.parameters[key] = value
            if key[0] == CHANNEL_MASK:
                self.parameters[bytes([CHANNEL])] = bytes([struct.unpack("<I", value)[0].bit_length() - 1])
            self.say_payload(command, number, frame[7:8])
        elif command == REQUEST:
            self.on_request(number, frame[7:])
        elif command in (CONFIRM, INDICATION):
            waiting = self.confirmations if command == CONFIRM else self.indications
            content = waiting.pop(0) if waiting else b""
            self.say_payload(command, number, bytes([self.flags]) + content, 0 if content else 5)

    @staticmethod
    def parameter(frame):
        """What a frame names, and what follows it."""
        at = 9 if frame[7] in INDEXED else 8
        return frame[7:at], frame[at:]

    def on_request(self, number, content):
        """Send data over the air: it is confirmed, and whoever it is for answers."""
        request_id, mode = content[0], content[2]
        size = {BY_GROUP: 2, BY_NETWORK_ADDRESS: 3, BY_EXTENDED_ADDRESS: 9}[mode]
        target, rest = content[3:3 + size], content[3 + size:]
        profile, cluster, source, length = struct.unpack("<HHBH", rest[:7])
        asdu = rest[7:7 + length]
        self.confirmations.append(bytes([request_id, mode]) + target + bytes([source]) + bytes(5))
        self.say_payload(REQUEST, number, bytes([self.flags, request_id]))
        for device in self.targets(mode, target):
            if profile == DEVICE_PROFILE:
                self.indicate(device, 0, profile, *device.profile(cluster, asdu))
            elif profile == HOME_AUTOMATION and target[-1] in device.endpoints:
                for said in device.frames(target[-1], cluster, asdu):
                    self.indicate(device, target[-1], profile, *said)
        self.notify()

    def targets(self, mode, target):
        """The devices that a frame is for. Nobody answers to broadcasts and groups."""
        if mode == BY_NETWORK_ADDRESS:
            return [d for d in self.devices.values() if d.address == struct.unpack("<H", target[:2])[0]]
        if mode == BY_EXTENDED_ADDRESS:
            return [d for d in self.devices.values() if d.extended_address == struct.unpack("<Q", target[:8])[0]]
        return []

    def indicate(self, device, endpoint, profile, cluster, asdu):
        self.indications.append(struct.pack("<BHBBHBHHH", BY_NETWORK_ADDRESS, COORDINATOR, 1 if endpoint else 0,
                                            BY_NETWORK_ADDRESS, device.address, endpoint, profile, cluster, len(asdu))
                                + asdu + bytes([0, 0, 255, 0, 0, 0, 0, 0xD8]))

    # What happens in the house

    def join(self, device):
        """The device announces itself to the network."""
        with self.lock:
            self.indicate(device, 0, DEVICE_PROFILE, 0x0013, device.announcement())
            self.notify()
