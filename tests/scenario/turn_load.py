"""Clients that cause much work with few packets, in a process of their own: turn_load.py SOCKET KIND PID (the broker's).

"ready" is printed when all are connected and subscribed; a line on standard input starts them, the end of it ends them."""

import itertools
import os
import select
import signal
import socket
import sys
import threading
import time

import mqtt

LEVELS = 14
TOPIC = "/".join("a" * LEVELS)
SUBSCRIBERS, FILTERS, PUBLISHERS = 20, 6000, 50
WILLS, WILL_BYTES, READERS = 1000, 60000, 100
serial = itertools.count(1)
stopped = threading.Event()


def connection(path, *, keep=0, client_id=None, clean=True, will=None):
    """A client that has its CONNACK."""
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    props = {"session_expiry_interval": keep} if keep else None
    wait_for(stream, mqtt.connect(5, client_id or f"load-{os.getpid()}-{next(serial)}", clean=clean, keep_alive=0,
                                  will=will, props=props), mqtt.CONNACK)
    return stream


class Readers:
    """What arrives is read and forgotten."""

    def __init__(self):
        self.poll = select.epoll()
        self.streams = {}  # by descriptor
        threading.Thread(target=self.run, daemon=True).start()

    def add(self, stream):
        self.streams[stream.fileno()] = stream
        self.poll.register(stream, select.EPOLLIN)

    def run(self):
        while True:
            for fd, _ in self.poll.poll():
                try:
                    if os.read(fd, 1 << 20):
                        continue
                except OSError:
                    pass
                self.poll.unregister(fd)
                self.streams.pop(fd).close()


def subscribed(path, filters, **options):
    stream = connection(path, **options)
    wait_for(stream, mqtt.subscribe(5, 1, filters), mqtt.SUBACK)
    return stream


def wait_for(stream, request, kind):
    """Send it, and read until the answer is there."""
    poll = select.poll()
    poll.register(stream, select.POLLIN | select.POLLOUT)
    stream.setblocking(False)
    data, sent = bytearray(), 0
    while True:
        for _, events in poll.poll():
            if events & select.POLLOUT:
                sent += stream.send(request[sent:sent + 65536])
                if sent == len(request):
                    poll.modify(stream, select.POLLIN)
            if events & select.POLLIN:
                data += stream.recv(1 << 20)
        while (size := packet_size(data)) is not None and len(data) >= size:
            found = data[0] >> 4
            del data[:size]
            if found == kind:
                stream.setblocking(True)
                return


def packet_size(data):
    length = shift = 0
    for at, byte in enumerate(data[1:5], 2):
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return at + length
    return None


def overlapping_filters():
    return ["/".join("+" if i >> level & 1 else "a" for level in range(LEVELS)) for i in range(FILTERS)]


def acknowledged(path, topic, payload, pause_s=0):
    """One message after the other, each when the last one is acknowledged."""
    def run():
        stream = connection(path)
        packet = mqtt.publish(5, topic, payload, qos=1, packet_id=1)
        while not stopped.wait(pause_s):
            wait_for(stream, packet, mqtt.PUBACK)
    threading.Thread(target=run, daemon=True).start()


def overlapping(path, readers, keep=0):
    filters = [(one, 0) for one in overlapping_filters()]
    for _ in range(SUBSCRIBERS):
        readers.add(subscribed(path, filters, keep=keep))
    yield
    for _ in range(PUBLISHERS):
        acknowledged(path, TOPIC, b"x" * 48)


def kept(path, readers):
    return overlapping(path, readers, keep=100)


def fan_out(path, readers):
    for _ in range(1000):
        readers.add(subscribed(path, [("fan/out", 0)]))
    yield
    for _ in range(5):
        acknowledged(path, "fan/out", b"x" * 2000)


def wills(path, readers):
    for _ in range(READERS):
        readers.add(subscribed(path, [("will/#", 0)]))
    will = mqtt.Will("will/x", b"x" * WILL_BYTES)
    streams = [connection(path, will=will) for _ in range(WILLS)]
    yield
    for stream in streams:
        stream.close()


def sys_topics(path, readers):
    for _ in range(300):
        readers.add(subscribed(path, [("$SYS/#", 0)]))
    yield


def replays(path, readers):
    stream = connection(path)
    for i in range(10000):
        stream.sendall(mqtt.publish(5, f"load/retained/{i}", b"x" * 100, retain=True))
    wait_for(stream, mqtt.packet(mqtt.PINGREQ, 0, b""), mqtt.PINGRESP)
    yield

    def run():
        reader = connection(path)
        while not stopped.is_set():
            wait_for(reader, mqtt.subscribe(5, 1, [("load/#", 0)]), mqtt.SUBACK)
            time.sleep(0.05)
    for _ in range(10):
        threading.Thread(target=run, daemon=True).start()


def takeovers(path, readers):
    filters = [(f"load/{i}/+", 1) for i in range(2000)]
    for i in range(50):
        readers.add(subscribed(path, filters, keep=100, client_id=f"taken-{i}"))
    yield

    def run():
        for i in itertools.cycle(range(50)):
            if stopped.is_set():
                return
            readers.add(connection(path, keep=100, client_id=f"taken-{i}", clean=i % 2 == 0))
            time.sleep(0.01)
    threading.Thread(target=run, daemon=True).start()


def expiry(path, readers):
    filters = [(f"load/{i}/+", 1) for i in range(100)]
    streams = [subscribed(path, filters, keep=1) for _ in range(1000)]
    yield
    for stream in streams:
        stream.close()


def queues(path, readers):
    """A QoS 1 message for very many queues on disk, of clients that acknowledge nothing."""
    for _ in range(2000):
        readers.add(subscribed(path, [("load/queues", 1)], keep=100))
    yield
    for _ in range(5):
        acknowledged(path, "load/queues", b"x" * 100)


def reload(path, readers):
    filters = [(f"load/{i}/+", 0) for i in range(50)]
    for i in range(1000):
        readers.add(subscribed(path, filters, keep=100 * (i % 2)))
    yield

    def run():
        while not stopped.wait(0.3):
            os.kill(int(sys.argv[3]), signal.SIGHUP)
    threading.Thread(target=run, daemon=True).start()


def space(path, readers):
    """The store is full of one client's queue; many wait with messages for it; it begins anew, so that there is space."""
    def begin_anew():
        subscribed(path, [("load/full", 1)], keep=100, client_id="full").close()

    def run():
        while not stopped.wait(0.5):
            begin_anew()
    begin_anew()
    yield
    for _ in range(200):
        acknowledged(path, "load/full", b"x" * 20000)
    threading.Thread(target=run, daemon=True).start()


KINDS = {"overlapping": overlapping, "kept": kept, "fan-out": fan_out, "wills": wills, "sys-topics": sys_topics,
         "replays": replays, "takeovers": takeovers, "expiry": expiry, "queues": queues, "reload": reload, "space": space}


def main():
    path, kind = sys.argv[1:3]
    steps = KINDS[kind](path, Readers())
    next(steps)
    print("ready", flush=True)
    sys.stdin.readline()
    next(steps, None)
    sys.stdin.read()
    stopped.set()
    os._exit(0)


if __name__ == "__main__":
    main()
