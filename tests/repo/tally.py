"""Count what the meson tests of a build directory found: "PASSED FAILED SKIPPED", and the name of each
failure. TAP tests and pytest files count case by case, others as one.

usage: tally.py BUILD-DIRECTORY LOGBASE   (LOGBASE as given to meson test --logbase)"""

import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

LOGS = Path(sys.argv[1]) / "meson-logs"
LOGBASE = sys.argv[2]


def cases(suite):
    """[passed, failed, skipped], [names of failures] of a junit <testsuite>"""
    counts, failures = [0, 0, 0], []
    for case in suite.iter("testcase"):
        kinds = {child.tag for child in case}
        kind = 1 if kinds & {"failure", "error"} else 2 if "skipped" in kinds else 0
        counts[kind] += 1
        if kind == 1:
            failures.append(case.get("name"))
    return counts, failures


def junit_of(name):
    """What a test wrote itself: pytest."""
    own = LOGS / f"pytest-{name.replace(' ', '-')}.xml"
    if own.exists():
        return [suite for suite in ElementTree.parse(own).getroot().iter("testsuite")]
    return []


def tap_suites():
    path = LOGS / f"{LOGBASE}.junit.xml"
    if not path.exists():
        return {}
    suites = ElementTree.parse(path).getroot().iter("testsuite")
    return {suite.get("name").split(" / ")[1]: suite for suite in suites if " / " in suite.get("name")}


def main():
    if not (LOGS / f"{LOGBASE}.json").exists():
        print("0 1 0\nthe tests did not run")
        return
    total, failures, taps = [0, 0, 0], [], tap_suites()
    for line in (LOGS / f"{LOGBASE}.json").read_text().splitlines():
        test = json.loads(line)
        name = test["name"].split(" / ")[-1].split(":")[-1]
        suites = junit_of(name) or ([taps[name]] if name in taps else [])
        counts, bad = [0, 0, 0], []
        for suite in suites:
            one, names = cases(suite)
            counts = [a + b for a, b in zip(counts, one)]
            bad += [f"{name}: {n}" for n in names]
        ok = test["result"] in ("OK", "EXPECTEDFAIL")
        skipped = test["result"] in ("SKIP", "IGNORED")
        if not ok and not skipped and counts[1] == 0:
            counts[1], bad = counts[1] + 1, [f"{name}: {test['result'].lower()}"]
        elif sum(counts) == 0:
            counts = [0, 0, 1] if skipped else [1, 0, 0]
        total = [a + b for a, b in zip(total, counts)]
        failures += bad
    print(*total)
    print("\n".join(failures), end="\n" if failures else "")


main()
