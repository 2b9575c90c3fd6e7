"""The dashboard in a browser: a broker that serves it, logging in, reading its tables, and what broker-ctl says to the same question."""

import json
import time

import devtools
from broker_fixture import ROOT, free_bind
from control import rows
from process import TIMEOUT_S

PAGE = ROOT / "tools/dashboard"
ACL = {"roles": {
    "all": ["allow all #"],
    "watcher": ["allow all #", "allow subscribe $SYS/#", "allow all $CONTROL/vakt/v1/#"],
    "device": ["allow publish home/%u/state/#", "allow subscribe home/%u/command/#"],
}}
USERS = {"anna": ["watcher"], "bert": ["all"], "porch": ["device"]}
HOSTILE = "<img src=x onerror=refused.push('run')>"


def broker_with_page(new_broker, **config):
    https = {"bind": free_bind(), "protocol": "https", "serve": ["websocket", "dashboard"],
             "dashboard": {"directory": str(PAGE / "dist")}}
    broker = new_broker(acl=ACL, users=USERS, config={"control": {"socket": "control.sock"}, **config})
    broker.config["listeners"].append(https)
    broker.write()
    return broker


class Dashboard(devtools.Page):
    """The page, open at the login."""

    def __init__(self, browser, broker, **device):
        super().__init__(browser, **device)
        self.broker = broker
        self.address = f"https://localhost:{broker.addresses[-1][1]}/"
        self.open(self.address)
        self.wait("document.querySelector('input[name=user]')")

    def log_in(self, user="anna", password=None, shows="Overview"):
        self.fill("input[name=user]", user)
        self.fill("input[name=password]", password or self.broker.password(user))
        self.click("button.main")
        self.says(shows)

    def view(self, place, title=None):
        self.run(f"location.hash = {json.dumps('#/' + place)}")
        if title is not None:
            self.wait(f"document.querySelector('main h1').innerText === {json.dumps(title)}")

    def figures(self):
        """{name as in broker-ctl: value} of what the view shows."""
        return self.run("Object.fromEntries([...document.querySelectorAll('[data-figure][data-value]')]"
                        ".map((e) => [e.dataset.figure, isNaN(Number(e.dataset.value)) ? e.dataset.value : Number(e.dataset.value)]))")

    def table(self, caption):
        """[{column: number}] of the numbers, {column: text} of what else a table shows."""
        return self.run(f"""[...document.querySelectorAll('table')].filter((t) => t.caption.innerText === {json.dumps(caption)}
            || t.caption.textContent === {json.dumps(caption)}).flatMap((t) => [...t.tBodies[0].rows])
            .map((r) => Object.fromEntries([...r.cells].map((c) => [c.dataset.key, c.dataset.value === undefined
            ? c.querySelector('.cell').innerText : Number(c.dataset.value)])))""")

    def agrees(self, caption, command, keys, numbers, but=()):
        """Waits until the table has the numbers of broker-ctl; rows are found by `keys`, and those whose first key is in `but` left out."""
        def of(found):
            return {tuple(str(row[key]) for key in keys): [row[name] for name in numbers] for row in found if row[keys[0]] not in but}
        end = time.monotonic() + TIMEOUT_S
        while of(self.table(caption)) != (wanted := of(rows(self.broker, *command))):
            assert time.monotonic() < end, f"{command}: {wanted}\nthe page: {of(self.table(caption))}"
            time.sleep(0.1)
        return wanted

    def axe(self):
        """What axe-core finds serious, or worse."""
        source = (PAGE / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
        self.run(source + "; true")
        found = self.run("axe.run().then((r) => r.violations.map((v) => [v.impact, v.id, v.nodes.map((n) => n.html)]))")
        return [each for each in found if each[0] in ("serious", "critical")]
