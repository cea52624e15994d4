"""The page of a report in a browser: no error, no sideways scrolling, and every control does what it says."""

import csv
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_report import SYSTEMS, comparison_of, log_of

from basis_melgan.report.write import report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio", "--hide-scrollbars")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path")


class Browser:
    """A page in headless Chromium, driven over the pipe of its DevTools protocol."""

    def __init__(self, to: int, back: Any) -> None:
        self.to, self.back = to, back
        self.count, self.session, self.complaints = 0, "", list[str]()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; complaints of the page are kept on the way."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self.next()).get("id") != self.count:
            self.note(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def next(self) -> dict[str, Any]:
        text = bytearray()
        while (letter := self.back.read(1)) != b"\0":
            assert letter, "Chromium ended"
            text += letter
        return json.loads(text)

    def note(self, event: dict[str, Any]) -> None:
        method, found = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(found["exceptionDetails"]))
        elif method == "Log.entryAdded" and found["entry"]["level"] in ("error", "warning"):
            self.complaints.append(json.dumps(found["entry"]))
        elif method == "Runtime.consoleAPICalled" and found["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(found["args"]))

    def run(self, code: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, path: Path, width: int, height: int = 900, theme: str = "light") -> None:
        feature = {"name": "prefers-color-scheme", "value": theme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Page.navigate", url=path.as_uri())
        self.until("document.readyState === 'complete'")
        self.run("new Promise((done) => setTimeout(done, 300))")  # for pictures to be decoded and charts to be drawn

    def until(self, condition: str) -> None:
        """Wait until a condition holds in the page."""
        for _ in range(500):
            if self.run(condition):
                return
            time.sleep(0.02)
        raise AssertionError(condition)

    def set(self, selector: str, value: object, event: str) -> None:
        """Give a control a value, as a user's hand would."""
        found = f"Object.assign(document.querySelector({selector!r}), {{ value: {value!r} }})"
        self.run(f"{found}.dispatchEvent(new Event({event!r})), 0")

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({selector!r}).click()")

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """Start Chromium with a profile of its own; it takes commands on descriptor 3 and answers on 4."""
    ours, theirs = os.pipe(), os.pipe()
    words = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
    shell = ["sh", "-c", f'exec "$@" 3</dev/fd/{ours[0]} 4>/dev/fd/{theirs[1]}', "sh", *words]
    process = subprocess.Popen(
        shell, pass_fds=(ours[0], theirs[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(ours[0])
    os.close(theirs[1])
    try:
        with os.fdopen(theirs[0], "rb") as back:
            yield Browser(ours[1], back)
    finally:
        process.kill()
        process.wait()
        os.close(ours[1])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    run = log_of(folder / "run", 50)
    report(comparison_of(folder / "comparison"), folder / "report.html", f"mine={run}", count=3)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def desk(browser: Browser, written: Path) -> Iterator[Browser]:
    """The page on a desk; whatever a test does, nothing may be complained about."""
    browser.complaints.clear()
    browser.open(written, 1440)
    yield browser
    assert browser.complaints == []


def texts(browser: Browser, selector: str) -> list[str]:
    return browser.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((found) => found.textContent)")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 768, 1440])
def test_no_complaint_and_no_sideways_scrolling(browser: Browser, written: Path, width: int, theme: str) -> None:
    browser.complaints.clear()
    browser.open(written, width, theme=theme)
    assert browser.run("document.documentElement.dataset.theme") == theme
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.click("#blind")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert texts(browser, "h2") == ["Results", "Quality and cost", "Listen and look", "Learning curves", "Notes"]
    assert browser.complaints == []


def test_complaints_are_heard(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<script>console.error('a'); missing()</script>", encoding="utf-8")
    browser.complaints.clear()
    browser.open(tmp_path / "bad.html", 390)
    assert len(browser.complaints) == 2
    browser.complaints.clear()


def test_every_system_can_be_played_and_seen(desk: Browser) -> None:
    desk.until("[...document.querySelectorAll('audio')].every((sound) => sound.readyState >= 2)")
    seconds = desk.run("[...document.querySelectorAll('audio')].map((sound) => sound.duration)")
    assert seconds == pytest.approx([0.8] * len(SYSTEMS), abs=0.1)
    assert texts(desk, "#systems .chip span") == ["recording", "small", "rough"]
    assert desk.run("document.querySelectorAll('#stage canvas').length") == 2 * len(SYSTEMS) - 1
    desk.until("[...document.querySelectorAll('#stage canvas')].every((each) => each.height === 192)")
    labels = texts(desk, "#stage .heatmap .xlabel, #stage .heatmap .ylabel")
    assert set(labels) == {"time (s)", "frequency (kHz)"}
    pixel = "[...each.getContext('2d').getImageData(40, 2, 1, 1).data]"
    shades = desk.run(f"[...document.querySelectorAll('#stage canvas')].map((each) => {pixel})")
    assert shades[0][0] < shades[3][0]  # near 12 kHz the recording is dark; noise is not
    assert all(level[0] > level[2] for level in shades[2::2])  # more than the recording is orange
    assert desk.run("document.querySelectorAll('#pitch path[stroke-linejoin]').length") == len(SYSTEMS)


def test_switching_keeps_the_place_and_one_sound_plays(desk: Browser) -> None:
    desk.until("[...document.querySelectorAll('audio')].every((sound) => sound.readyState >= 2)")
    desk.run("document.getElementById('listen').focus()")
    desk.press("ArrowRight")
    desk.until("document.querySelectorAll('audio')[0].currentTime === 0.5")
    desk.press("2")
    desk.until("document.querySelectorAll('audio')[1].currentTime === 0.5")
    assert texts(desk, "#time") == ["0.5 / 0.8 s"]
    assert texts(desk, ".card.chosen h3") == ["small"]
    assert desk.run("document.querySelector('#systems :checked').value") == "small"
    desk.press("ArrowLeft")
    desk.press(" ")
    desk.until("!document.querySelectorAll('audio')[1].paused")
    desk.press("3")
    desk.until("!document.querySelectorAll('audio')[2].paused && document.querySelectorAll('audio')[1].paused")
    desk.until("document.querySelectorAll('audio')[2].ended")
    assert desk.run("document.getElementById('play').getAttribute('aria-label')") == "Play"
    desk.press("n")
    assert desk.run("document.querySelector('.stepper select').selectedOptions[0].textContent") == "one / b"
    desk.press("p")
    assert desk.run("document.querySelector('.stepper select').selectedOptions[0].textContent") == "one / a"


def test_the_table_shows_means_differences_and_an_order(desk: Browser) -> None:
    assert texts(desk, "#results th[scope=row]") == list(SYSTEMS)
    heads = ["System", "PESQ-WB ↑", "MCD (dB) ↓", "Real-time factor ↓", "GMAC/s ↓", "Parameters (M) ↓"]
    assert texts(desk, "#results thead th") == heads
    assert texts(desk, "#results .best") == ["2.50", "2.50", "0.030"]
    assert texts(desk, "#results tbody tr:first-child td:nth-child(2)") == ["2.502.40 … 2.60"]
    desk.click("#results .sorter")
    assert texts(desk, "#results th[scope=row]") == ["recording", "small", "rough"]
    desk.click("#results .sorter")
    assert texts(desk, "#results th[scope=row]") == ["rough", "small", "recording"]
    desk.set("#results .choice:nth-child(2) select", "differences", "change")
    assert texts(desk, "#results th[scope=row]") == ["rough", "recording"]
    assert texts(desk, "#results tbody td:nth-child(2)") == ["−1.000 ▼−1.100 … −0.900", "+2.100 ▲+2.000 … +2.200"]


def test_peers_stand_in_the_scatter_where_they_can(desk: Browser) -> None:
    assert {"Vocos", "HiFi-GAN V1", "small", "recording"} <= set(texts(desk, "#speed .name"))
    assert "published figures on other data" in "".join(texts(desk, "#speed .note"))
    assert "PESQ-WB, more is better" in texts(desk, "#speed .label")
    desk.set("#speed .choice:nth-child(2) select", "rtf", "change")
    desk.until("document.querySelector('#speed .label') !== null")
    names = texts(desk, "#speed .name")
    assert sorted(names) == ["recording", "rough", "small"]
    desk.set("#speed .choice:nth-child(1) select", "MCD", "change")
    desk.until("document.querySelector('#speed .label') !== null")
    assert "MCD (dB), less is better" in texts(desk, "#speed .label")


def test_a_blind_test_hides_names_and_its_sheet_holds_the_key(desk: Browser, tmp_path: Path) -> None:
    desk.click("#blind")
    desk.set("#stage input[type=number]", 7, "change")
    shown = desk.run("document.getElementById('listen').innerText")
    assert not any(name in shown for name in ("small", "rough"))
    assert texts(desk, "#systems .chip span") == ["Reference", "A", "B", "C"]
    desk.set(".rating[data-id=B] input", 83, "input")
    desk.click(".stepper button:last-child")
    desk.set(".rating[data-id=B] input", 83, "input")
    assert texts(desk, "#progress") == ["Clip 2 of 3 · 2 of 9 sounds scored"]
    desk.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    desk.click("#sheet")
    sheet = tmp_path / "answers-7.csv"
    while not sheet.is_file() or not sheet.stat().st_size:
        desk.until("true")
    rows = list(csv.DictReader(sheet.open(encoding="utf-8", newline="")))
    orders = [[row["system"] for row in rows if row["trial"] == trial] for trial in "123"]
    assert all(sorted(order) == sorted(SYSTEMS) for order in orders)
    assert orders[0] != orders[1] or orders[1] != orders[2]
    scored = {(row["trial"], row["stimulus"]): row["score"] for row in rows}
    assert scored == {
        (trial, name): "83" if (name, trial) in (("B", "1"), ("B", "2")) else "" for trial, name in scored
    }
    assert {(row["seed"], row["data"]) for row in rows} == {("7", "abc</script>")}


def test_a_blind_test_can_be_left_and_taken_up_again(desk: Browser) -> None:
    desk.click("#blind")
    desk.set(".rating[data-id=A] input", 20, "input")
    before = desk.run("document.querySelector('#stage input[type=number]').value")
    desk.click("#blind")
    assert texts(desk, "#systems .chip span") == ["recording", "small", "rough"]
    desk.click("#blind")
    assert texts(desk, "#progress") == ["Clip 1 of 3 · 1 of 9 sounds scored"]
    assert texts(desk, ".rating output") == ["20", "–", "–"]
    assert desk.run("document.querySelector('#stage input[type=number]').value") == before


def test_the_switch_changes_the_colors(desk: Browser) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light = desk.run(background)
    desk.click("#theme")
    assert desk.run("document.documentElement.dataset.theme") == "dark"
    assert desk.run(background) != light


def test_every_control_has_a_name(desk: Browser) -> None:
    desk.call("Accessibility.enable")
    nodes = desk.call("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "slider", "combobox", "radio", "image", "img", "link", "region", "spinbutton")
    named = [
        (node["role"]["value"], node["name"]["value"]) for node in nodes if node.get("role", {}).get("value") in roles
    ]
    assert len(named) > 30
    assert [role for role, name in named if not name] == []
