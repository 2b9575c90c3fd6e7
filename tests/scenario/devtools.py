"""Chromium, driven by its DevTools protocol over a pipe: pages are looked at, clicked and measured."""

import base64
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import threading
import time

from process import TIMEOUT_S

PROGRAM = shutil.which("chromium")

# What a page must not do: noted before its own scripts run.
WATCH = """
window.refused = [];
addEventListener('securitypolicyviolation', (e) => refused.push(e.violatedDirective + ' ' + e.blockedURI));
"""


def high_pipe():
    """A pipe whose numbers are not in the way of 3 and 4."""
    low = os.pipe()
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in low]
    for fd in low:
        os.close(fd)
    return high


class Browser:
    """A process of Chromium without a window, with a fresh profile below `directory`. Certificates are not verified."""

    def __init__(self, directory):
        to_browser, self.to = high_pipe()
        self.back, from_browser = high_pipe()
        # It reads from 3 and writes to 4.
        self.child = subprocess.Popen(
            ["bash", "-c", f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"', "bash", PROGRAM, "--headless=new", "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--ignore-certificate-errors", "--remote-debugging-pipe",
             "--hide-scrollbars", f"--user-data-dir={directory}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(to_browser, from_browser))
        os.close(to_browser)
        os.close(from_browser)
        self.ids, self.answers, self.events = itertools.count(1), {}, []
        self.changed, self.over = threading.Condition(), False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with os.fdopen(self.back, "rb") as stream:
            rest = b""
            while chunk := stream.read1(1 << 20):
                *whole, rest = (rest + chunk).split(b"\0")
                for message in map(json.loads, whole):
                    with self.changed:
                        if "id" in message:
                            self.answers[message["id"]] = message
                        else:
                            self.events.append(message)
                        self.changed.notify_all()
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def call(self, method, session=None, **params):
        number = next(self.ids)
        message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        with self.changed:
            assert self.changed.wait_for(lambda: number in self.answers or self.over, 3 * TIMEOUT_S), f"no answer to {method}"
            assert number in self.answers, f"the browser ended before it answered {method}"
            answer = self.answers.pop(number)
        assert "error" not in answer, f"{method}: {answer.get('error')}"
        return answer["result"]

    def page(self, **options):
        return Page(self, **options)

    def close(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        os.close(self.to)
        self.reader.join(TIMEOUT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Page:
    """A tab. `width` and `dark` are those of the device."""

    def __init__(self, browser, *, width=1280, height=800, dark=False):
        self.browser = browser
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Performance"):
            self.call(f"{domain}.enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.device(width, height, dark)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)

    def device(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def run(self, script):
        """The value of an expression; a promise is waited for."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in done, f"{script}: {done['exceptionDetails']}"
        return done["result"].get("value")

    def wait(self, script, timeout_s=TIMEOUT_S):
        """Until the expression is true; its value."""
        end = time.monotonic() + timeout_s
        while not (value := self.run(f"(() => {{ try {{ const v = {script}; return v instanceof Node ? true : v }} catch {{ return null }} }})()")):
            assert time.monotonic() < end, f"waited in vain for {script}; the page shows:\n{self.text()}"
            time.sleep(0.03)
        return value

    def text(self):
        return self.run("document.body ? document.body.innerText : ''")

    def says(self, text, timeout_s=TIMEOUT_S):
        self.wait(f"document.body.innerText.includes({json.dumps(text)})", timeout_s)

    def click(self, selector, text=None):
        """The first element that matches, and that has the text; it is waited for."""
        found = f"[...document.querySelectorAll({json.dumps(selector)})].find((e) => {json.dumps(text)} === null || e.innerText.includes({json.dumps(text)}))"
        self.wait(f"(() => {{ const e = {found}; if (!e || e.disabled) return false; e.click(); return true; }})()")

    def fill(self, selector, text):
        """Typed, so that the page's own listeners see it."""
        self.wait(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return false; e.focus(); e.select?.(); return true; }})()")
        self.call("Input.insertText", text=text)

    def key(self, key, *, code=None, number=0, text=None):
        more = {"text": text} if text else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, windowsVirtualKeyCode=number, **more)

    def metrics(self):
        return {each["name"]: each["value"] for each in self.call("Performance.getMetrics")["metrics"]}

    def screenshot(self, path, full=False):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self):
        """What the page did against its policy, and errors of its scripts."""
        found = [f"refused: {each}" for each in self.run("window.refused ?? []")]
        with self.browser.changed:
            events = [each for each in self.browser.events if each.get("sessionId") == self.session]
        for event in events:
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(event["params"]["exceptionDetails"])[:3000])
            elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["source"] in ("security", "violation"):
                found.append(event["params"]["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "warning", "assert"):
                found.append(json.dumps(event["params"]["args"])[:3000])
        return found
