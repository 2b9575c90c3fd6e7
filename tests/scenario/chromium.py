"""A page in Chromium, without a window: what it writes with console.log comes back as lines."""

import http.server
import shutil
import ssl
import subprocess
import threading
from pathlib import Path

from process import LineProcess

HERE = Path(__file__).resolve().parent
PROGRAM = shutil.which("chromium")


class Page(LineProcess):
    """Opens the address in a fresh profile below `directory`. Certificates are not verified: the pages under test do not
    depend on it, and a profile with a CA of our own needs more programs."""

    def __init__(self, url, directory):
        super().__init__([PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                          "--ignore-certificate-errors", "--enable-logging=stderr", "--v=0",
                          f"--user-data-dir={directory}", url], stdin=subprocess.DEVNULL)

    def said(self, text):
        """Waits for a line of the page with this text."""
        return self.wait_line(lambda line: "CONSOLE" in line and text in line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Site:
    """Serves pages over HTTPS, with MQTT.js at /mqtt.js, on a port of its own: another origin than the broker's."""

    def __init__(self, pki, pages):
        script = (HERE / "node/node_modules/mqtt/dist/mqtt.min.js").read_bytes()
        files = {"/mqtt.js": ("text/javascript", script),
                 **{path: ("text/html", text.encode()) for path, text in pages.items()}}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                kind, body = files.get(self.path, ("text/plain", b""))
                self.send_response(200 if self.path in files else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.path("server-ec.crt"), pki.path("server-ec.key"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.origin = f"https://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
