"""How long a test waits before it gives up. Only a test that fails waits that long, so on a busy machine it is longer."""

import os


def scaled_timeout(seconds):
    """`seconds`, times the processes that want each core. VAKT_TIMEOUT_FACTOR is another factor."""
    given = os.environ.get("VAKT_TIMEOUT_FACTOR", "")
    crowd = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * (float(given) if given else max(1.0, min(crowd, 8.0)))
