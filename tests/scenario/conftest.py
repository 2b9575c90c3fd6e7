"""Fixtures of the scenarios. Each file has its own broker, shared by its tests; each test its own topics."""

import re

import house as house_module
import pytest


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return house_module.Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def new_house(tmp_path_factory, pki):
    """new_house(config=..., acl=..., users=...): a house that is not running yet."""
    def make(**options):
        return house_module.House(tmp_path_factory.mktemp("house"), pki, **options)
    return make


@pytest.fixture
def topic(request):
    """A topic of this test's own, also for parametrised ones."""
    return "t/" + re.sub(r"[^A-Za-z0-9_.-]+", "-", request.node.name)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """What the brokers said stands with the failure."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for house in house_module.running:
            report.sections.append((f"log of the broker in {house.directory.name}",
                                    "\n".join(house.process.lines[-15:])))


def pytest_unconfigure():
    for house in list(house_module.running):
        house.process.kill()
