"""Headless Chromium over its debugging pipe, which needs no other library."""

import base64
import json
import shutil
import subprocess
import time
from contextlib import contextmanager

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe"),
)


@contextmanager
def open_browser(profile):
    """Start Chromium with a folder as its profile; gives a tab."""
    # Chromium reads commands from descriptor 3, and writes answers to 4.
    command = 'exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>&1'
    process = subprocess.Popen(
        ["sh", "-c", command, PROGRAM, *OPTIONS, f"--user-data-dir={profile}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            yield Tab(process.stdout, process.stdin)
        finally:
            process.kill()


class Tab:
    """A page, with the errors of its console."""

    def __init__(self, read, write):
        self._read, self._write = read, write
        self._session, self._number, self._events = None, 0, []
        self.errors = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        while (answer := self._receive()).get("id") != self._number:
            self._events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _receive(self):
        line = bytearray()
        while (byte := self._read.read(1)) != b"\0":
            assert byte, "Chromium ended"
            line += byte
        message = json.loads(line)
        if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.errors.append(message["params"])
        return message

    def _wait(self, method):
        while not any(each.get("method") == method for each in self._events):
            self._events.append(self._receive())

    def open(self, path):
        self._events.clear()
        self.send("Page.navigate", url=path.as_uri())
        self._wait("Page.loadEventFired")

    def reload(self):
        self._events.clear()
        self.send("Page.reload")
        self._wait("Page.loadEventFired")

    def resize(self, width, height):
        size = {"width": width, "height": height, "deviceScaleFactor": 1}
        phone = width < 600
        self.send("Emulation.setDeviceMetricsOverride", **size, mobile=phone)
        self.send("Emulation.setTouchEmulationEnabled", enabled=phone)

    def run(self, script):
        """The value of a JavaScript expression."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, *keys):
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def click(self, selector):
        """Click the middle of an element with the mouse."""
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            where = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
            self.send("Input.dispatchMouseEvent", type=kind, **where)

    def download(self, folder, selector, name, timeout=30):
        """Click an element, and wait for the file it downloads."""
        behavior = {"behavior": "allow", "downloadPath": str(folder)}
        self.send("Browser.setDownloadBehavior", **behavior)
        self.click(selector)
        path, end = folder / name, time.monotonic() + timeout
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.05)
        return path

    def picture(self, path):
        shot = self.send("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))
