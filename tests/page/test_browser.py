"""The page in a real browser, while a real server learns."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.conftest import StartServer
from tests.page.browser import CHROMIUM, Tab, browsing
from thalweg import Client, m5
from thalweg_server.background import BackgroundServer

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
]

ITEMS = 240
DAYS_BEFORE = 90
"""Days learned before anybody looks: more than a model's history keeps."""

CURVES_SECONDS = 75
"""After which curves are worth a picture that is kept."""

SCREENS = {"phone": (390, 844), "desktop": (1280, 900)}

SHARES = "[...document.querySelectorAll('.shares div span:last-child')].map(s => s.textContent)"

ENTER, DOWN, ESCAPE = ("Enter", 13), ("ArrowDown", 40), ("Escape", 27)


@dataclass
class Stage:
    """A server that learns a day again and again, and a browser."""

    server: BackgroundServer
    new_tab: Callable[[], Tab]
    tab: Tab

    @property
    def origin(self) -> str:
        """Where the page is."""
        return f"http://{self.server.metrics_address}"


@pytest.fixture
def new_tab(tmp_path: Path) -> Iterator[Callable[[], Tab]]:
    """Opens tabs of a browser that has never been used."""
    with browsing(tmp_path / "profile") as tab:
        yield tab


@pytest.fixture
def stage(start_server: StartServer, new_tab: Callable[[], Tab]) -> Iterator[Stage]:
    """A page that is open while the server learns."""
    server = start_server(metrics_group="m5")
    with Client(server.address) as client, learning(client):
        tab = new_tab()
        tab.look(1280, 900)
        stage = Stage(server, new_tab, tab)
        tab.open(stage.origin)
        tab.until("document.querySelector('#worst a')", "the worst models are listed")
        yield stage


@contextmanager
def learning(client: Client) -> Iterator[None]:
    """The M5 pipelines on sales that go on for ever, a few days a second, and some questions."""
    for name, pipeline in {"knn": m5.knn(), "lm": m5.lm()}.items():
        client.upload_model("*", pipeline, candidate=name, template=True, context=m5.CONTEXT)
    real = m5.evaluation_days()
    rows = np.linspace(0, len(real.ids) - 1, ITEMS).astype(int)
    ids = [real.ids[row] for row in rows]
    over = threading.Event()

    def days(first: int, count: int) -> m5.Sales:
        numbers = np.arange(first, first + count)
        return m5.Sales(
            ids=ids,
            dates=(real.dates[0] + numbers).astype(np.int32),
            units=np.asfortranarray(real.units[rows][:, numbers % len(real.dates)]),
        )

    def teach() -> None:
        day = DAYS_BEFORE
        while not over.wait(0.35):
            for _ in client.stream_learn(days(day, 1).columns()):
                pass
            for name in ids[: 1 + day % 7]:
                client.predict(name, date="2016-12-24")
            day += 1

    for _ in client.stream_learn(days(0, DAYS_BEFORE).columns()):
        pass
    teacher = threading.Thread(target=teach)
    teacher.start()
    try:
        yield
    finally:
        over.set()
        teacher.join()


def test_numbers_move_while_the_server_learns(stage: Stage) -> None:
    """Rows learned, the curves and the state are of this second."""
    tab = stage.tab
    assert tab.text("#state") == "ready"
    about = "document.querySelector('#tiles .about').textContent"
    before = float(tab.run(about).partition(" ")[0].replace(",", ""))
    tab.until(f"Number({about}.split(' ')[0].replaceAll(',', '')) > {before}")
    rate = "document.querySelector('#tiles .figure span').textContent"
    tab.until(f"Number({rate}.replaceAll(',', '')) > 0")
    curves = "document.querySelector('#curves svg').getAttribute('aria-label')"
    tab.until(f"/lm \\d/.test({curves}) && /knn \\d/.test({curves})")
    path = "document.querySelector('#curves path.s0').getAttribute('d')"
    drawn = tab.run(path)
    tab.until(f"{path} !== {drawn!r}")
    assert sum(int(text.partition(" ")[0]) for text in tab.run(SHARES)) == ITEMS
    assert len(tab.run("[...document.querySelectorAll('#worst a')].map(a => a.text)")) == 10


def test_a_model_is_found_and_opened_by_keyboard_alone(stage: Stage) -> None:
    """`/`, some letters, arrows, Enter; the back button leads back."""
    tab = stage.tab
    tab.type("/")
    assert tab.run("document.activeElement.id") == "query"
    tab.type("hobbies_1")
    tab.until("document.querySelectorAll('#found [role=option]').length > 2")
    names = tab.run("[...document.querySelectorAll('#found li')].map(l => l.textContent)")
    assert all(name.startswith("HOBBIES_1") for name in names)
    tab.press(*DOWN)
    active = tab.run("document.activeElement.getAttribute('aria-activedescendant')")
    assert tab.text(f"#{active}") == names[1]
    tab.press(*ENTER)
    tab.until("document.querySelector('#past svg')", "the model's chart is drawn")
    assert tab.text("#model-title") == names[1]
    assert tab.run("document.activeElement.id") == "model-title"
    assert tab.run("document.title") == f"{names[1]} · Thalweg"
    label = tab.run("document.querySelector('#past svg').getAttribute('aria-label')")
    assert label.startswith("The last 60 targets; mean absolute error")
    assert "forecast of 28 days" in label
    assert tab.run("document.querySelectorAll('#past ~ .hidden tbody tr').length") == 88
    marked = tab.run("[...document.querySelectorAll('#model .mark')].length")
    assert marked == 1
    learned = tab.text("#model-about")
    tab.until(f"document.querySelector('#model-about').textContent !== {learned!r}")
    tab.run("history.back()")
    tab.until("!document.querySelector('#overview').hidden")
    assert tab.run("document.title") == "Thalweg"


def test_a_search_is_left_with_escape_and_says_when_it_finds_nothing(stage: Stage) -> None:
    """The list shuts, and nothing opens."""
    tab = stage.tab
    tab.run("document.getElementById('query').focus()")
    tab.type("zz<b>")
    tab.until("document.querySelector('#found .none')")
    tab.press(*ENTER)
    assert tab.run("location.hash") == ""
    tab.press(*ESCAPE)
    assert tab.run("document.querySelector('#found').hidden")
    assert tab.run("document.activeElement.getAttribute('aria-expanded')") == "false"


def test_names_are_words_and_never_markup(stage: Stage) -> None:
    """A model whose name is an element and a script does nothing but stand there."""
    tab, name = stage.tab, "<img src=x onerror=alert(1)>&amp;/é"
    with Client(stage.server.address) as client:
        client.upload_model(name, m5.knn(), candidate="<b>k", context=m5.CONTEXT)
    tab.run("document.getElementById('query').focus()")
    tab.type("<img")
    tab.until("document.querySelector('#found [role=option]:not(.none)')")
    tab.press(*ENTER)
    tab.until("document.querySelector('#model table')")
    assert tab.text("#model-title") == name
    assert tab.run("document.querySelectorAll('main img, main b:not(.events b)').length") == 0
    assert not tab.complaints


def test_nothing_leaves_the_servers_origin_and_nothing_is_complained_of(stage: Stage) -> None:
    """Every request of a visit goes to the server, and the console stays empty."""
    tab = stage.tab
    tab.run("document.querySelector('#worst a').click()")
    tab.until("document.querySelector('#past svg')")
    tab.run("history.back()")
    time.sleep(2)
    tab.run("1")  # reads what was told meanwhile
    assert len(tab.requests) > 10
    assert {urlsplit(url).netloc for url in tab.requests} == {stage.server.metrics_address}
    assert not tab.complaints


@pytest.mark.parametrize("view", ["overview", "model"])
def test_the_page_is_no_wider_than_a_small_phone(stage: Stage, view: str) -> None:
    """At 360 pixels nothing scrolls sideways but tables within their cards."""
    tab = stage.tab
    tab.look(360, 780)
    if view == "model":
        tab.run("document.querySelector('#worst a').click()")
        tab.until("document.querySelector('#past svg')")
    tab.until("document.querySelector('svg')")
    time.sleep(1.2)
    assert tab.run("document.documentElement.scrollWidth") == 360


def test_assistive_technology_finds_names_for_all_there_is(stage: Stage) -> None:
    """Controls, charts and tables are named, headings are in order, pictures say their figures."""
    tab = stage.tab
    for _ in range(2):
        controls = tab.controls()
        named = ("link", "combobox", "button", "image", "table", "heading", "navigation")
        assert [role for role, name in controls if role in named and not name] == []
        tab.run("document.querySelector('#worst a')?.click()")
        tab.until("document.querySelector('#past svg')")
    roles = {role for role, _ in controls}
    assert {"main", "banner", "contentinfo", "navigation", "search", "combobox"} <= roles
    assert any(role == "image" and "forecast of 28 days" in name for role, name in controls)
    assert tab.run("document.documentElement.lang") == "en"


def test_a_connection_that_is_lost_is_said_and_figures_are_marked(
    stage: Stage, start_server: StartServer
) -> None:
    """The page keeps its figures, says of when they are, and goes on when the server is back."""
    empty = start_server(metrics_port=0)
    address, port = empty.metrics_address, empty.server.metrics_port
    tab = stage.new_tab()
    tab.open(f"http://{address}")
    tab.until("document.querySelector('#hint code')?.textContent === 'thalweg demo'")
    empty.stop()
    tab.until("document.body.classList.contains('stale')", "the loss is noticed")
    assert "figures are of" in tab.text("#notice")
    assert tab.text("#state") == "no connection"
    start_server(metrics_port=port)
    tab.until("!document.body.classList.contains('stale')", "the page is connected again")
    assert tab.text("#state") == "ready"


def test_a_server_that_knows_no_flavor_says_what_to_do(
    start_server: StartServer, new_tab: Callable[[], Tab]
) -> None:
    """A command to start it with, and no empty curves of nothing."""
    server = start_server(None)
    tab = new_tab()
    tab.open(f"http://{server.metrics_address}")
    tab.until("document.querySelector('#hint code')")
    assert "thalweg serve --flavor regression" in tab.text("#hint")


def test_a_hidden_tab_closes_its_stream(stage: Stage) -> None:
    """Nobody looks at it: it costs nothing, and is up to date as soon as somebody does."""
    viewers = stage.server.server._web._site._feed._viewers
    assert len(viewers) == 1
    stage.tab.run(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    end = time.monotonic() + 20
    while viewers:
        assert time.monotonic() < end
        time.sleep(0.05)
    stage.tab.run("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    while not viewers:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_pictures_are_taken_on_a_phone_and_a_desk_by_day_and_by_night(
    stage: Stage, tmp_path: Path
) -> None:
    """Four screenshots, for people and for the documentation; dark ones are dark."""
    kept = os.environ.get("THALWEG_SCREENSHOTS")
    folder = Path(kept or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    time.sleep(CURVES_SECONDS if kept else 0)
    for screen, size in SCREENS.items():
        for dark in (False, True):
            stage.tab.look(*size, dark=dark)
            time.sleep(1.5)
            path = folder / f"live-{screen}-{'dark' if dark else 'light'}.png"
            stage.tab.screenshot(path)
            assert struct.unpack(">II", path.read_bytes()[16:24]) == size
            shade = stage.tab.run("getComputedStyle(document.body).backgroundColor")
            assert (max(map(int, shade[4:-1].split(","))) < 60) == dark
