"""broker-bench with several threads, short: the run for which a build with ThreadSanitizer looks."""

import pytest
from test_bench import broker, nothing_is_wrong, over_tls  # noqa: F401 (broker is a fixture)

LOADS = {
    "pairs": ["--publishers", 4, "--subscribers", 4, "--threads", 3, "--qos", 1, "--rate", 200, "--messages", 200],
    "all at once": ["--publishers", 2, "--subscribers", 4, "--threads", 2, "--layout", "shared", "--groups", 2, "--rate", 100, "--duration", "1s",
                    "--warm-up", "200ms", "--idle", 4, "--connect-rate", 10],
}


@pytest.mark.parametrize("load", LOADS)
def test_threads(broker, load):    # noqa: F811
    found = over_tls(broker).run(*LOADS[load])
    nothing_is_wrong(found)
    assert found["received"] > 0 and (load == "pairs" or found["connects"] > 0)
