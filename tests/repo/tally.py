"""Count what tests found, and name what failed and what was skipped. TAP tests and pytest files count case by
case, others as one.

usage: tally.py meson BUILD-DIRECTORY LOGBASE    of a `meson test --logbase LOGBASE`
       tally.py pytest FILE                      of a `pytest --junitxml FILE`

The first line is "PASSED FAILED SKIPPED"; then a line for each: "failed NAME" or "skipped NAME: REASON"."""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Found:
    passed: int = 0
    failed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)

    def add(self, other, name=""):
        self.passed += other.passed
        self.failed += [f"{name}{one}" for one in other.failed]
        self.skipped += [f"{name}{one}" for one in other.skipped]

    def __len__(self):
        return self.passed + len(self.failed) + len(self.skipped)

    def __str__(self):
        lines = [f"{self.passed} {len(self.failed)} {len(self.skipped)}", *(f"failed {one}" for one in self.failed),
                 *(f"skipped {one}" for one in self.skipped)]
        return "\n".join(line.replace("\n", " ") for line in lines)


def parse(path):
    """Meson writes what a test printed as it is, with characters that XML does not know, such as those of colours."""
    text = Path(path).read_text(errors="replace")
    return ElementTree.fromstring(re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text))


def of_suite(suite):
    """What a junit <testsuite> tells."""
    found = Found()
    for case in suite.iter("testcase"):
        kinds = {child.tag: child for child in case}
        name = case.get("name")
        if kinds.keys() & {"failure", "error"}:
            found.failed.append(name)
        elif "skipped" in kinds:
            reason = kinds["skipped"].get("message")
            found.skipped.append(f"{name}: {reason}" if reason else name)
        else:
            found.passed += 1
    return found


def of_pytest(path):
    found = Found()
    try:
        suites = parse(path)
    except (OSError, ElementTree.ParseError):
        return found
    for suite in suites.iter("testsuite"):
        found.add(of_suite(suite))
    return found


def tap_suites(path):
    """{name of the meson test: its <testsuite>}"""
    if not path.exists():
        return {}
    suites = parse(path).iter("testsuite")
    return {suite.get("name").split(" / ")[1]: suite for suite in suites if " / " in suite.get("name")}


def of_test(test, logs, taps):
    """What one meson test found: case by case, where it tells them."""
    name = test["name"].split(" / ")[-1].split(":")[-1]
    own = logs / f"pytest-{name.replace(' ', '-')}.xml"
    found, cases = Found(), Found()
    if own.exists():
        cases = of_pytest(own)
    elif name in taps:
        cases = of_suite(taps[name])
    found.add(cases, f"{name}: ")
    result = test["result"]
    if result in ("SKIP", "IGNORED"):
        if len(found) == 0:
            found.skipped.append(name)
    elif result not in ("OK", "EXPECTEDFAIL"):
        if not found.failed:  # it says that something is wrong, and not what
            found.failed.append(f"{name}: {result.lower()}")
    elif len(found) == 0 and not own.exists():  # a file of pytest may have nothing to do
        found.passed += 1
    return found


def of_meson(build, logbase):
    logs = Path(build) / "meson-logs"
    record = logs / f"{logbase}.json"
    if not record.exists():
        return Found(failed=["the tests did not run"])
    found, taps = Found(), tap_suites(logs / f"{logbase}.junit.xml")
    for line in record.read_text().splitlines():
        found.add(of_test(json.loads(line), logs, taps))
    return found


def main():
    if sys.argv[1] == "meson":
        found = of_meson(sys.argv[2], sys.argv[3])
    else:
        found = of_pytest(sys.argv[2])
        if len(found) == 0:
            found.failed.append("the tests did not run")
    print(found)


if __name__ == "__main__":
    main()
