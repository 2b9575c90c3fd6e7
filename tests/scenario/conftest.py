"""Fixtures of the scenarios. Each file has its own broker, shared by its tests; each test its own topics."""

import re

import broker_fixture
import failing_disk
import pytest
import transports
from wire import Wire


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="run the long tests, too: those marked `full`")
    parser.addoption("--transport", choices=list(transports.TRANSPORTS), default="tls", help="how clients reach the broker (%(default)s)")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: takes long or measures time; runs only with --full")
    config.addinivalue_line("markers", "only_over(name, ...): holds for these transports only (transports.py)")


def pytest_collection_modifyitems(config, items):
    """Long tests are not part of a short run: they are deselected, not skipped, unless --full is given. The same holds for
    what says nothing of the transport at hand."""
    transport = config.getoption("--transport")
    left_out = [item for item in items for mark in item.iter_markers("only_over") if transport not in mark.args]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    for item in items:
        if transport != "tls" and item.path.stem.removeprefix("test_") not in transports.SHORT:
            item.add_marker("full")
    if config.getoption("--full"):
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    items[:] = [item for item in items if not item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=left_out)


def pytest_sessionfinish(session, exitstatus):
    """A file with long tests only has no tests in a short run, nor has a file without them in a run of the long tests
    (-m full). That is no failure."""
    asked = session.config.getoption("--full") and not session.config.getoption("markexpr")
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and not asked:
        session.exitstatus = pytest.ExitCode.OK


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return broker_fixture.Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def new_broker(request, tmp_path_factory, pki):
    """new_broker(config=..., acl=..., users=...): a broker that is not running yet."""
    def make(**options):
        return broker_fixture.BrokerFixture(tmp_path_factory.mktemp("broker"), pki,
                                             transport=request.config.getoption("--transport"), **options)
    return make


@pytest.fixture(params=[4, 5], ids=["3.1.1", "5.0"])
def version(request):
    return request.param


@pytest.fixture
def pub(broker):
    """A client of the file's broker."""
    with Wire(broker) as client:
        yield client


@pytest.fixture(scope="module")
def broker_and_disk(request, new_broker):
    """A broker with the file's CONFIG, and its disk that can fail."""
    return failing_disk.new_broker_and_disk(new_broker, request.module.CONFIG)


@pytest.fixture
def disk(broker_and_disk):
    return broker_and_disk[1]


@pytest.fixture
def topic(request):
    """A topic that no other test uses, also for parametrised tests."""
    return "t/" + re.sub(r"[^A-Za-z0-9_.-]+", "-", request.node.name)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """The brokers' logs are part of the failure report."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for broker in broker_fixture.running:
            report.sections.append((f"log of the broker in {broker.directory.name}",
                                    "\n".join(broker.process.lines[-15:])))


def pytest_unconfigure():
    for broker in list(broker_fixture.running):
        broker.process.kill()
