"""The page of a report in a browser: no errors, no sideways scrolling, and working controls."""

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
from test_report import SYSTEMS, make_comparison, make_run

from basis_melgan.report.html import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio", "--hide-scrollbars")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path")


class Browser:
    """A page in headless Chromium, driven over the pipe of its DevTools protocol."""

    def __init__(self, commands: int, answers: Any) -> None:
        self.commands, self.answers = commands, answers
        self.count, self.session, self.errors = 0, "", list[str]()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its answer, recording errors of the page meanwhile."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while (answer := self.next()).get("id") != self.count:
            self.record_errors(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def next(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "Chromium ended"
            text += byte
        return json.loads(text)

    def record_errors(self, event: dict[str, Any]) -> None:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(json.dumps(parameters["entry"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(parameters["args"]))

    def run(self, code: str) -> Any:
        """Evaluate an expression in the page, awaiting a promise."""
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
        self.run("new Promise((done) => setTimeout(done, 300))")  # for decoding of images and drawing of charts

    def until(self, condition: str) -> None:
        """Wait until a condition holds in the page."""
        for _ in range(500):
            if self.run(condition):
                return
            time.sleep(0.02)
        raise AssertionError(condition)

    def set(self, selector: str, value: object, event: str) -> None:
        """Set a control's value as a user would."""
        control = f"Object.assign(document.querySelector({selector!r}), {{ value: {value!r} }})"
        self.run(f"{control}.dispatchEvent(new Event({event!r})), 0")

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({selector!r}).click()")

    def press(self, key: str) -> None:
        """Press and release a key."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start Chromium with a new profile; it reads commands from descriptor 3 and writes answers to 4."""
    commands, answers = os.pipe(), os.pipe()
    argv = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
    shell = ["sh", "-c", f'exec "$@" 3</dev/fd/{commands[0]} 4>/dev/fd/{answers[1]}', "sh", *argv]
    process = subprocess.Popen(
        shell, pass_fds=(commands[0], answers[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(commands[0])
    os.close(answers[1])
    try:
        with os.fdopen(answers[0], "rb") as stream:
            yield Browser(commands[1], stream)
    finally:
        process.kill()
        process.wait()
        os.close(commands[1])


@pytest.fixture(scope="module")
def report_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    run = make_run(folder / "run", 50)
    write_report(make_comparison(folder / "comparison"), folder / "report.html", f"mine={run}", count=3)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def desktop(browser: Browser, report_path: Path) -> Iterator[Browser]:
    """The page at desktop width; a test fails if it logs an error."""
    browser.errors.clear()
    browser.open(report_path, 1440)
    yield browser
    assert browser.errors == []


def texts(browser: Browser, selector: str) -> list[str]:
    return browser.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((element) => element.textContent)")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 768, 1440])
def test_no_errors_and_no_sideways_scrolling(browser: Browser, report_path: Path, width: int, theme: str) -> None:
    browser.errors.clear()
    browser.open(report_path, width, theme=theme)
    assert browser.run("document.documentElement.dataset.theme") == theme
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.click("#blind")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert texts(browser, "h2") == ["Results", "Quality and cost", "Listen and look", "Learning curves", "Notes"]
    assert browser.errors == []


def test_errors_of_a_page_are_recorded(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<script>console.error('a'); missing()</script>", encoding="utf-8")
    browser.errors.clear()
    browser.open(tmp_path / "bad.html", 390)
    assert len(browser.errors) == 2
    browser.errors.clear()


def test_every_system_has_sound_and_spectrogram(desktop: Browser) -> None:
    desktop.until("[...document.querySelectorAll('audio')].every((sound) => sound.readyState >= 2)")
    seconds = desktop.run("[...document.querySelectorAll('audio')].map((sound) => sound.duration)")
    assert seconds == pytest.approx([0.8] * len(SYSTEMS), abs=0.1)
    assert texts(desktop, "#systems .chip span") == ["recording", "small", "rough"]
    assert desktop.run("document.querySelectorAll('#stage canvas').length") == 2 * len(SYSTEMS) - 1
    desktop.until("[...document.querySelectorAll('#stage canvas')].every((canvas) => canvas.height === 192)")
    labels = texts(desktop, "#stage .heatmap .xlabel, #stage .heatmap .ylabel")
    assert set(labels) == {"time (s)", "frequency (kHz)"}
    pixel = "[...canvas.getContext('2d').getImageData(40, 2, 1, 1).data]"
    shades = desktop.run(f"[...document.querySelectorAll('#stage canvas')].map((canvas) => {pixel})")
    assert shades[0][0] < shades[3][0]  # near 12 kHz the recording is dark; noise is not
    assert all(level[0] > level[2] for level in shades[2::2])  # louder than the recording is orange
    assert desktop.run("document.querySelectorAll('#pitch path[stroke-linejoin]').length") == len(SYSTEMS)


def test_switching_systems_keeps_the_position_and_plays_one_sound(desktop: Browser) -> None:
    desktop.until("[...document.querySelectorAll('audio')].every((sound) => sound.readyState >= 2)")
    desktop.run("document.getElementById('listen').focus()")
    desktop.press("ArrowRight")
    desktop.until("document.querySelectorAll('audio')[0].currentTime === 0.5")
    desktop.press("2")
    desktop.until("document.querySelectorAll('audio')[1].currentTime === 0.5")
    assert texts(desktop, "#time") == ["0.5 / 0.8 s"]
    assert texts(desktop, ".card.selected h3") == ["small"]
    assert desktop.run("document.querySelector('#systems :checked').value") == "small"
    desktop.press("ArrowLeft")
    desktop.press(" ")
    desktop.until("!document.querySelectorAll('audio')[1].paused")
    desktop.press("3")
    desktop.until("!document.querySelectorAll('audio')[2].paused && document.querySelectorAll('audio')[1].paused")
    desktop.until("document.querySelectorAll('audio')[2].ended")
    assert desktop.run("document.getElementById('play').getAttribute('aria-label')") == "Play"
    desktop.press("n")
    assert desktop.run("document.querySelector('.stepper select').selectedOptions[0].textContent") == "one / b"
    desktop.press("p")
    assert desktop.run("document.querySelector('.stepper select').selectedOptions[0].textContent") == "one / a"


def test_the_table_shows_means_and_differences_and_sorts(desktop: Browser) -> None:
    assert texts(desktop, "#results th[scope=row]") == list(SYSTEMS)
    heads = ["System", "PESQ-WB ↑", "MCD (dB) ↓", "Real-time factor ↓", "GMAC/s of audio ↓", "Parameters (M) ↓"]
    assert texts(desktop, "#results thead th") == heads
    assert texts(desktop, "#results .best") == ["2.50", "2.50", "0.030"]
    assert texts(desktop, "#results tbody tr:first-child td:nth-child(2)") == ["2.502.40 … 2.60"]
    desktop.click("#results .sorter")
    assert texts(desktop, "#results th[scope=row]") == ["recording", "small", "rough"]
    desktop.click("#results .sorter")
    assert texts(desktop, "#results th[scope=row]") == ["rough", "small", "recording"]
    desktop.set("#results .choice:nth-child(2) select", "differences", "change")
    assert texts(desktop, "#results th[scope=row]") == ["rough", "recording"]
    assert texts(desktop, "#results tbody td:nth-child(2)") == ["−1.000 ▼−1.100 … −0.900", "+2.100 ▲+2.000 … +2.200"]


def test_published_results_are_in_the_scatter_plot_of_their_metric_and_cost(desktop: Browser) -> None:
    assert {"Vocos", "HiFi-GAN V1", "small", "recording"} <= set(texts(desktop, "#speed .name"))
    assert "published results on other data" in "".join(texts(desktop, "#speed .note"))
    assert "PESQ-WB, higher is better" in texts(desktop, "#speed .label")
    desktop.set("#speed .choice:nth-child(2) select", "rtf", "change")
    desktop.until("document.querySelector('#speed .label') !== null")
    names = texts(desktop, "#speed .name")
    assert sorted(names) == ["recording", "rough", "small"]
    desktop.set("#speed .choice:nth-child(1) select", "MCD", "change")
    desktop.until("document.querySelector('#speed .label') !== null")
    assert "MCD (dB), lower is better" in texts(desktop, "#speed .label")


def test_a_blind_test_hides_names_and_its_answer_sheet_has_them(desktop: Browser, tmp_path: Path) -> None:
    desktop.click("#blind")
    desktop.set("#stage input[type=number]", 7, "change")
    text = desktop.run("document.getElementById('listen').innerText")
    assert not any(name in text for name in ("small", "rough"))
    assert texts(desktop, "#systems .chip span") == ["Reference", "A", "B", "C"]
    desktop.set(".rating[data-id=B] input", 83, "input")
    desktop.click(".stepper button:last-child")
    desktop.set(".rating[data-id=B] input", 83, "input")
    assert texts(desktop, "#progress") == ["Clip 2 of 3 · 2 of 9 sounds rated"]
    desktop.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    desktop.click("#sheet")
    sheet = tmp_path / "answers-7.csv"
    while not sheet.is_file() or not sheet.stat().st_size:
        desktop.until("true")
    rows = list(csv.DictReader(sheet.open(encoding="utf-8", newline="")))
    orders = [[row["system"] for row in rows if row["trial"] == trial] for trial in "123"]
    assert all(sorted(order) == sorted(SYSTEMS) for order in orders)
    assert orders[0] != orders[1] or orders[1] != orders[2]
    ratings = {(row["trial"], row["stimulus"]): row["score"] for row in rows}
    assert ratings == {
        (trial, name): "83" if (name, trial) in (("B", "1"), ("B", "2")) else "" for trial, name in ratings
    }
    assert {(row["seed"], row["data"]) for row in rows} == {("7", "abc</script>")}


def test_a_suspended_blind_test_resumes(desktop: Browser) -> None:
    desktop.click("#blind")
    desktop.set(".rating[data-id=A] input", 20, "input")
    before = desktop.run("document.querySelector('#stage input[type=number]').value")
    desktop.click("#blind")
    assert texts(desktop, "#systems .chip span") == ["recording", "small", "rough"]
    desktop.click("#blind")
    assert texts(desktop, "#progress") == ["Clip 1 of 3 · 1 of 9 sounds rated"]
    assert texts(desktop, ".rating output") == ["20", "–", "–"]
    assert desktop.run("document.querySelector('#stage input[type=number]').value") == before


def test_the_theme_button_changes_the_colors(desktop: Browser) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light = desktop.run(background)
    desktop.click("#theme")
    assert desktop.run("document.documentElement.dataset.theme") == "dark"
    assert desktop.run(background) != light


def test_every_control_has_a_name(desktop: Browser) -> None:
    desktop.call("Accessibility.enable")
    nodes = desktop.call("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "slider", "combobox", "radio", "image", "img", "link", "region", "spinbutton")
    controls = [
        (node["role"]["value"], node["name"]["value"]) for node in nodes if node.get("role", {}).get("value") in roles
    ]
    assert len(controls) > 30
    assert [role for role, name in controls if not name] == []
