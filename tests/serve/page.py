"""page.py PORT PICTURE: the page at http://127.0.0.1:PORT/ in Chromium, as a user has it: pictures are dropped and answered, the heat map is shown and hidden, a file
that is no picture is told, nothing comes from elsewhere. Exit status 1 and a sentence for what is not so. Needs nothing but chromium and Python's standard library."""
import base64, json, os, re, socket, subprocess, sys, tempfile, time, urllib.request

PORT, PICTURE = sys.argv[1], sys.argv[2]
SCREENSHOTS = os.environ.get("FOVEA_SCREENSHOTS")  # a folder for pictures of the page


class Browser:
    """A tab, by the DevTools protocol over a WebSocket (RFC 6455)."""

    def __init__(self, folder):
        self.process = subprocess.Popen(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0",
                                         "--user-data-dir=" + folder, "--window-size=1200,900", "about:blank"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        for line in self.process.stderr:
            if found := re.search(r"ws://127\.0\.0\.1:(\d+)/", line):
                break
        port = int(found[1])
        tabs = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
        path = next(tab for tab in tabs if tab["type"] == "page")["webSocketDebuggerUrl"].split(str(port))[1]
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n").encode())
        self.stream = self.socket.makefile("rb")
        while self.stream.readline() != b"\r\n":
            pass
        self.count, self.requested, self.complaints = 0, [], []

    def receive(self):
        data = b""
        while True:
            first, second = self.stream.read(2)
            size = second & 127
            if size > 125:
                size = int.from_bytes(self.stream.read(2 if size == 126 else 8), "big")
            data += self.stream.read(size)
            if first & 128:
                return json.loads(data)

    def call(self, method, **parameters):
        self.count += 1
        text = json.dumps({"id": self.count, "method": method, "params": parameters}).encode()
        # A mask of zeros leaves the text as it is.
        self.socket.sendall(b"\x81" + (bytes([128 | len(text)]) if len(text) < 126 else b"\xff" + len(text).to_bytes(8, "big")) + bytes(4) + text)
        while True:
            message = self.receive()
            if message.get("method") == "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
            if message.get("method") == "Log.entryAdded":
                self.complaints.append(message["params"]["entry"])
            if message.get("id") == self.count:
                assert "error" not in message, message
                return message["result"]

    def run(self, script):
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, script, what):
        for _ in range(600):
            if value := self.run(script):
                return value
            time.sleep(0.1)
        sys.exit(f"{what}: not within a minute; the page says {self.run('document.body.innerText')!r}")

    def shot(self, name):
        if SCREENSHOTS:
            data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
            open(os.path.join(SCREENSHOTS, name + ".png"), "wb").write(base64.b64decode(data))


def drop(browser, files):
    """As if these were dragged from a folder."""
    parts = ", ".join(f"new File([Uint8Array.from(atob('{base64.b64encode(data).decode()}'), c => c.charCodeAt(0))], '{name}')" for name, data in files)
    browser.run(f"{{ const all = new DataTransfer(); for (const file of [{parts}]) all.items.add(file);"
                "document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: all, bubbles: true, cancelable: true})); }")


def check(browser):
    for domain in ("Page", "Network", "Log"):
        browser.call(domain + ".enable")
    browser.call("Page.navigate", url=f"http://127.0.0.1:{PORT}/")
    browser.until("document.readyState === 'complete' && document.getElementById('about').textContent", "what is served")
    picture = open(PICTURE, "rb").read()
    drop(browser, [("notes.txt", b"no picture"), ("a photo.webp", picture)])
    browser.until("[...document.querySelectorAll('article')].every(card => card.querySelector('.time').textContent || !card.querySelector('.error').hidden) "
                  "&& document.querySelectorAll('article').length === 2", "an answer to each of two files")
    found = browser.run("""[...document.querySelectorAll('article')].map(card => ({name: card.querySelector('figcaption').textContent,
        error: card.querySelector('.error').textContent, bars: card.querySelectorAll('progress').length, width: card.querySelector('.picture').naturalWidth}))""")
    by_name = {one["name"]: one for one in found}
    assert "not a picture" in by_name["notes.txt"]["error"] and by_name["notes.txt"]["bars"] == 0, found
    good = by_name["a photo.webp"]
    assert good["error"] == "" and good["bars"] >= 2 and good["width"] > 0, found
    shares = browser.run("[...document.querySelectorAll('.share')].map(one => parseFloat(one.textContent))")
    assert shares == sorted(shares, reverse=True) and 0 <= shares[0] <= 100, shares
    browser.shot("answer")

    # The heat map by the keyboard: it is shown, and the second time hidden.
    browser.run("[...document.querySelectorAll('.look')].find(button => !button.hidden).focus()")
    for shown in (True, False):
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r" if kind == "keyDown" else "")
        browser.until("[...document.querySelectorAll('.heat')].some(picture => !picture.hidden && picture.naturalWidth > 0) === " + str(shown).lower() +
                      " && document.activeElement.getAttribute('aria-pressed') === '" + str(shown).lower() + "'", "the heat map")
        browser.shot("heat" if shown else "without")

    for width, dark in ((360, False), (360, True), (1200, True)):
        browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        assert browser.run("document.documentElement.scrollWidth <= innerWidth"), f"the page is wider than {width} pixels"
        ground = browser.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0)")
        assert (ground < 380) == dark, f"the ground of the page is {ground} of 765, dark {dark}"
        browser.shot(f"{width}{'-dark' if dark else ''}")
    unnamed = browser.run("[...document.querySelectorAll('button, select, input:not([hidden])')].filter(one => !one.textContent.trim() && !one.labels?.length "
                          "&& !one.getAttribute('aria-label')).length")
    assert unnamed == 0, f"{unnamed} controls have no name for a screen reader"
    elsewhere = [url for url in browser.requested if not url.startswith((f"http://127.0.0.1:{PORT}/", "blob:http://127.0.0.1"))]
    assert not elsewhere, elsewhere
    refused = [one["text"] for one in browser.complaints if "400" not in one["text"]]
    assert not refused, refused


with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    browser = Browser(folder)
    try:
        check(browser)
    finally:
        browser.process.kill()
        browser.process.wait()
