"""How long a test waits before it gives up. Only a failing test waits that long, so it is longer on a busy machine."""

import os


def scaled_timeout(seconds):
    """`seconds` times the number of processes that compete for each core. VAKT_TIMEOUT_FACTOR overrides that factor."""
    given = os.environ.get("VAKT_TIMEOUT_FACTOR", "")
    crowd = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * (float(given) if given else max(1.0, min(crowd, 8.0)))
