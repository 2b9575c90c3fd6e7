"""Several workers: connections move to their owners, messages pass between workers, and nothing is lost or duplicated
on the way. The thread sanitizer runs this file."""

import threading

import mqtt
import pytest
from clients import MosquittoSub, mosquitto_pub
from wire import Wire

CLIENTS = 12  # enough that every worker has some, whatever the hash says


@pytest.fixture(scope="module", params=[2, 4])
def broker(request, new_broker):
    with new_broker(users={"anna": ["all"], "bert": ["all"]}, config={"workers": request.param}) as broker:
        yield broker


@pytest.fixture
def crowd(broker):
    clients = [Wire(broker, version=4 + n % 2) for n in range(CLIENTS)]
    yield clients
    for client in clients:
        client.close()


def in_parallel(*jobs):
    """Run them at the same time; an exception in one of them is raised here."""
    failures = []

    def run(job):
        try:
            job()
        except BaseException as failure:  # it belongs to the test's own thread
            failures.append(failure)
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_everybody_hears_everybody(broker, crowd, topic, qos):
    """In the order of each publisher."""
    for client in crowd:
        client.subscribe(f"{topic}/#", qos=qos)
    for number in range(5):
        for index, client in enumerate(crowd):
            client.publish(f"{topic}/{index}", str(number).encode(), qos=qos)
    for client in crowd:
        got = {}
        for _ in range(5 * CLIENTS):
            message = client.message()
            got.setdefault(message.topic, []).append(int(message.payload))
            assert message.qos == qos
        assert got == {f"{topic}/{index}": list(range(5)) for index in range(CLIENTS)}


def test_all_at_once(broker, crowd, topic):
    """Publishers that do not wait for each other; QoS 2 arrives exactly once."""
    half = CLIENTS // 2
    subs, pubs = crowd[:half], crowd[half:]
    for sub in subs:
        sub.subscribe(f"{topic}/#", f"end/{topic}")

    def publish(index):
        def job():
            for number in range(30):
                pubs[index].publish(f"{topic}/{index}", str(number).encode(), qos=number % 3)
        return job

    def collect(sub):
        def job():
            got = {}
            for _ in range(30 * len(pubs)):
                message = sub.message()
                got.setdefault((message.topic, message.qos), []).append(int(message.payload))
            assert got == {(f"{topic}/{i}", q): list(range(q, 30, 3)) for i in range(len(pubs)) for q in range(3)}
        return job
    in_parallel(*(publish(i) for i in range(len(pubs))), *(collect(s) for s in subs))
    pubs[0].publish(f"end/{topic}", b"end", qos=2)
    for sub in subs:
        assert sub.until(b"end") == []


def test_connections_move_to_their_owner(broker):
    """Wherever a connection was accepted: what it sent right after CONNECT moves along."""
    for number in range(4 * CLIENTS):
        version = 4 + number % 2
        with Wire(broker, version, connect=False, client_id=f"mover-{number}") as client:
            name = f"moved/{number}"
            client.send(mqtt.connect(version, client.client_id, user="anna", password=broker.password("anna"))
                        + mqtt.subscribe(version, 1, [(name, 1)])
                        + mqtt.publish(version, name, b"x" * 5000, qos=1, packet_id=2)
                        + mqtt.packet(mqtt.PINGREQ, 0, b""))
            assert client.expect(mqtt.CONNACK).reason == 0
            client.expect(mqtt.SUBACK)
            assert client.message().payload == b"x" * 5000


def test_takeover(broker, topic):
    """The same session, again and again, on whichever worker accepted the connection."""
    keep = {"session_expiry_interval": 100}
    current = Wire(broker, client_id=topic, props=keep)
    current.subscribe(topic)
    with Wire(broker) as pub:
        for number in range(20):
            following = Wire(broker, client_id=topic, props=keep, clean=False)
            assert following.connack.session_present
            assert current.expect_close().reason == 0x8E
            pub.publish(topic, str(number).encode(), qos=2)
            assert following.message().payload == str(number).encode()
            following.settle()  # else the broker is right to send it again
            current = following
    current.close()


def test_a_fight_for_one_client_id(broker, topic):
    """Many at once; in the end exactly one is connected and works."""
    def fight():
        for _ in range(5):
            client = Wire(broker, client_id=topic, connect=False)
            client.send(mqtt.connect(5, topic, user="anna", password=broker.password("anna")))
            try:
                client.take()
            except Exception:  # a loser may be closed before its CONNACK
                pass
            client.close()
    in_parallel(*[fight] * 6)
    with Wire(broker, client_id=topic) as last:
        last.settle()


def test_two_users_with_one_client_id(broker, topic):
    with Wire(broker, client_id=topic, user="anna") as anna, Wire(broker, client_id=topic, user="bert") as bert:
        anna.subscribe(topic)
        bert.publish(topic, b"1", qos=1)
        assert anna.message().payload == b"1"
        bert.settle()
        assert bert.messages == []


def test_queues_of_offline_clients(broker, topic):
    keep = {"session_expiry_interval": 100}
    names = [f"{topic}-{n}" for n in range(CLIENTS)]
    for name in names:
        with Wire(broker, client_id=name, props=keep) as client:
            client.subscribe(topic)
            client.disconnect()
    with Wire(broker) as pub:
        for number in range(10):
            pub.publish(topic, str(number).encode(), qos=1 + number % 2)
    for name in names:
        with Wire(broker, client_id=name, props=keep, clean=False) as client:
            assert client.connack.session_present
            got = [client.message() for _ in range(10)]
            for qos in (1, 2):
                assert [int(m.payload) for m in got if m.qos == qos] == list(range(qos - 1, 10, 2))


def test_shared_subscriptions_over_workers(broker, crowd, topic):
    for client in crowd[1:]:
        if client.version == 5:
            client.subscribe(f"$share/crew/{topic}", f"end/{topic}")
    members = [c for c in crowd[1:] if c.version == 5]
    for number in range(60):
        crowd[0].publish(topic, str(number).encode(), qos=number % 3)
    crowd[0].publish(f"end/{topic}", b"end", qos=2)
    shares = [[int(m.payload) for m in member.until(b"end")] for member in members]
    assert sorted(n for share in shares for n in share) == list(range(60))
    assert all(shares)


def test_retained_and_live_never_go_backwards(broker, topic):
    """A subscriber that subscribes while values change gets a retained message and then only newer ones."""
    def publish(pub):
        for number in range(150):
            pub.publish(topic, str(number).encode(), qos=1, retain=True)

    def watch():
        for _ in range(15):
            with Wire(broker) as client:
                client.subscribe(topic)
                seen = [int(client.message().payload) for _ in range(3)]
                assert seen == sorted(set(seen)), seen
                client.disconnect()
    with Wire(broker) as pub:
        pub.publish(topic, b"-1", qos=1, retain=True)
        done = threading.Event()

        def keep_publishing():
            publish(pub)
            number = 150
            while not done.is_set():
                pub.publish(topic, str(number).encode(), qos=1, retain=True)
                number += 1

        def watch_all():
            try:
                in_parallel(watch, watch, watch)
            finally:
                done.set()
        in_parallel(keep_publishing, watch_all)
        newest = pub.publish(topic, b"1000000", qos=1, retain=True)
        assert newest.reason in (0, 0x10)
    with Wire(broker) as late:
        late.subscribe(topic)
        assert late.message().payload == b"1000000"


def test_wills_of_many(broker, topic):
    with Wire(broker) as watcher:
        watcher.subscribe(f"{topic}/#")
        dying = [Wire(broker, will=mqtt.Will(f"{topic}/{n}", b"gone", qos=n % 3)) for n in range(CLIENTS)]
        for client in dying:
            client.kill()
        assert {watcher.message().topic for _ in dying} == {f"{topic}/{n}" for n in range(CLIENTS)}


def test_subscribe_and_unsubscribe_under_load(broker, topic):
    done = threading.Event()

    def publish():
        with Wire(broker) as pub:
            while not done.is_set():
                for level in range(5):
                    pub.publish(f"{topic}/{level}", b"x", qos=level % 3)

    def churn():
        with Wire(broker) as client:
            for number in range(25):
                client.subscribe(f"{topic}/+", f"{topic}/{number % 5}", f"$share/g/{topic}/#")
                client.message()
                client.unsubscribe(f"{topic}/+", f"{topic}/{number % 5}", f"$share/g/{topic}/#")

    def all_churn():
        try:
            in_parallel(*[churn] * 4)
        finally:
            done.set()
    in_parallel(publish, publish, all_churn)


def test_a_slow_reader_costs_the_others_nothing(broker, topic):
    with Wire(broker) as slow, Wire(broker) as quick, Wire(broker) as pub:
        slow.subscribe(topic, qos=0)
        quick.subscribe(topic, f"end/{topic}")
        for _ in range(100):
            pub.publish(topic, b"x" * 100_000, qos=0)
        pub.publish(f"end/{topic}", b"end", qos=1)
        quick.until(b"end")


def test_real_clients(broker, topic):
    with MosquittoSub(broker, "-t", topic, "-q", "2") as one, MosquittoSub(broker, "-t", topic, "-q", "2") as two:
        assert mosquitto_pub(broker, "-t", topic, "-q", "2", "-m", "to both").returncode == 0
        one.message(f"2 0 {topic} to both")
        two.message(f"2 0 {topic} to both")
