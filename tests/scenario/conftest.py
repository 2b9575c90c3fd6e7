"""Fixtures of the scenarios. Each file has its own broker, shared by its tests; each test its own topics."""

import re

import broker_fixture
import failing_disk
import pytest
from wire import Wire


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="run the long tests, too: those marked `full`")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: takes long or measures time; runs only with --full")


def pytest_collection_modifyitems(config, items):
    """Long tests are not part of a short run: they are deselected, not skipped, unless --full is given."""
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
def new_broker(tmp_path_factory, pki):
    """new_broker(config=..., acl=..., users=...): a broker that is not running yet."""
    def make(**options):
        return broker_fixture.BrokerFixture(tmp_path_factory.mktemp("broker"), pki, **options)
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
