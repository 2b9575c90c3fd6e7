"""tally.py loses nothing: what failed and what was skipped is counted and named, whatever the test told."""

import json
import tempfile
import unittest
from pathlib import Path

from tally import of_meson, of_pytest

PYTEST = """<testsuites><testsuite name="pytest"><testcase name="one"/>
<testcase name="two"><failure message="x"/></testcase>
<testcase name="three"><skipped type="pytest.skip" message="only root&#10;can"/></testcase>
<testcase name="four"><error message="x"/></testcase></testsuite></testsuites>"""
TAP = """<testsuites><testsuite name="vakt / acl filter"><testcase name="a"/><testcase name="b"/>
<testcase name="c"><skipped/></testcase></testsuite></testsuites>"""


def row(name, result):
    return json.dumps({"name": f"vakt:unit / {name}", "result": result})


class Tally(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.build = Path(self.scratch.name)
        (self.build / "meson-logs").mkdir()

    def write(self, name, text):
        (self.build / "meson-logs" / name).write_text(text)

    def lines(self, *rows):
        self.write("check.json", "\n".join(rows) + "\n")
        return str(of_meson(self.build, "check")).splitlines()

    def test_a_test_without_cases_is_one(self):
        self.assertEqual(self.lines(row("x", "OK"), row("y", "FAIL"), row("z", "SKIP"), row("t", "TIMEOUT")),
                         ["1 2 1", "failed y: fail", "failed t: timeout", "skipped z"])

    def test_cases_of_pytest(self):
        self.write("pytest-scenario-acl.xml", PYTEST)
        self.assertEqual(self.lines(row("scenario acl", "FAIL")),
                         ["1 2 1", "failed scenario acl: two", "failed scenario acl: four",
                          "skipped scenario acl: three: only root can"])

    def test_cases_of_tap(self):
        self.write("check.junit.xml", TAP)
        self.assertEqual(self.lines(row("acl filter", "OK")), ["2 0 1", "skipped acl filter: c"])

    def test_characters_that_xml_does_not_know_are_no_failure(self):
        self.write("check.junit.xml", TAP.replace("</testsuite>", "<system-out>\x1b[31mred\x1b[0m</system-out></testsuite>"))
        self.assertEqual(self.lines(row("acl filter", "OK")), ["2 0 1", "skipped acl filter: c"])

    def test_a_failure_that_no_case_tells_is_one_more(self):
        self.write("check.junit.xml", TAP)
        self.assertEqual(self.lines(row("acl filter", "TIMEOUT")),
                         ["2 1 1", "failed acl filter: timeout", "skipped acl filter: c"])
        self.write("pytest-scenario-acl.xml", PYTEST[:60])
        self.assertEqual(self.lines(row("scenario acl", "ERROR")), ["0 1 0", "failed scenario acl: error"])

    def test_a_file_may_have_nothing_to_do(self):
        self.write("pytest-scenario-acl.xml", "<testsuites><testsuite/></testsuites>")
        self.assertEqual(self.lines(row("scenario acl", "OK")), ["0 0 0"])

    def test_no_run_is_a_failure(self):
        self.assertEqual(str(of_meson(self.build, "other")), "0 1 0\nfailed the tests did not run")
        self.assertEqual(len(of_pytest(self.build / "none.xml")), 0)

    def test_a_file_is_named_on_the_command_line(self):
        self.write("run.xml", PYTEST)
        self.assertEqual(of_pytest(str(self.build / "meson-logs/run.xml")).passed, 1)


unittest.main()
