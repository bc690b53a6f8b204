"""The documentation builds without a warning, is generated from the code, and stays on its host."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest

from tests.docs.pages import DOCS, ROOT
from tests.page.browser import CHROMIUM, browsing
from thalweg.cli import cli
from thalweg.v1 import forecaster_pb2 as pb

METRIC = re.compile(r"(?<![:\w])(?:thalweg|grpc_server)_[a-z_]+(?![:\w])")
"""A metric of the server's; names that recording rules give hold colons."""

LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `mkdocs build --strict` does."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


class Loads(HTMLParser):
    """What a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an address that is fetched without a click."""
        found = dict(attrs)
        if tag == "link" and found.get("rel") != "canonical":
            self.addresses.append(found.get("href") or "")
        elif tag in LOADING:
            self.addresses.append(found.get(LOADING[tag]) or "")


def test_a_page_loads_nothing_from_other_machines(site: Path) -> None:
    """No page names a script, style, font or image on another host, and all that it names is
    there."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text())
        for address in filter(None, loads.addresses):
            assert not re.match(r"(https?:)?//", address), (page, address)
            base = site if address.startswith("/") else page.parent
            assert (base / address.partition("#")[0].lstrip("/")).exists(), (page, address)


@pytest.mark.system
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_its_search_finds_pages_without_asking_other_machines(site: Path, tmp_path: Path) -> None:
    """In a real browser, a word leads to the page that explains it."""
    with serving(site) as origin, browsing(tmp_path) as new_tab:
        tab = new_tab()
        tab.open(f"{origin}/?q=max_inflight_batches")
        tab.until("document.querySelector('.md-search-result__link[href*=\"reference/contract\"]')")
        assert tab.complaints == []
        at_home = (f"{origin}/", "data:")
        assert [each for each in tab.requests if not each.startswith(at_home)] == []


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A web server on a free port; yields its origin."""
    handler = functools.partial(SilentHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class SilentHandler(SimpleHTTPRequestHandler):
    """Serves files and does not tell."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def text_of(site: Path, page: str) -> str:
    """The HTML of a page of the reference."""
    return (site / "reference" / page / "index.html").read_text()


def test_the_contract_page_has_every_call_message_and_field(site: Path) -> None:
    """Nothing of the contract is missing."""
    text = text_of(site, "contract")
    [service] = pb.DESCRIPTOR.services_by_name.values()
    names = {*service.methods_by_name, *pb.DESCRIPTOR.message_types_by_name}
    names |= set(pb.DESCRIPTOR.enum_types_by_name)
    assert {name for name in names if f'id="{name.lower()}"' not in text} == set()
    fields = {
        field
        for message in pb.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
    }
    assert {field.name for field in fields if f"<code>{field.name}</code>" not in text} == set()


def test_the_errors_page_has_every_reason(site: Path) -> None:
    """Every reason but the one that is never sent has a line to link to."""
    text = text_of(site, "errors")
    reasons = {name.removeprefix("ERROR_REASON_") for name in pb.ErrorReason.keys()[1:]}
    assert {each for each in reasons if f'id="{each.lower()}"' not in text} == set()


def test_the_command_line_page_has_every_option(site: Path) -> None:
    """Every command has a section, and every option stands there with its variable."""
    text = text_of(site, "command-line")
    commands = dict(cli.commands)
    for command in list(commands.values()):
        if isinstance(command, click.Group):
            commands |= {f"{command.name}-{name}": each for name, each in command.commands.items()}
    assert {name for name in commands if f'id="thalweg-{name}"' not in text} == set()
    options = [
        option
        for command in commands.values()
        for option in command.params
        if isinstance(option, click.Option)
    ]
    assert len(options) > 100
    for option in options:
        assert max(option.opts, key=len) in text
        assert f"<code>{option.envvar}</code>" in text or not option.envvar


def test_the_metrics_page_has_every_metric_of_the_dashboards(site: Path) -> None:
    """What rules and dashboards ask for is explained."""
    text = text_of(site, "metrics")
    asked = set[str]()
    for path in sorted((ROOT / "deploy").rglob("*")):
        if path.suffix in (".json", ".yml") and "tests" not in path.parts:
            asked |= set(METRIC.findall(path.read_text()))
    known = set(re.findall(r"<code>([a-z_]+)</code>", text))
    known |= {f"{name}_{part}" for name in known for part in ("bucket", "sum", "count")}
    assert len(asked) > 20
    assert asked - known == set()


def test_nothing_generated_is_committed() -> None:
    """A page that is generated holds the mark, and no table of its own to go stale."""
    for name in ("contract", "metrics"):
        text = (DOCS / "reference" / f"{name}.md").read_text()
        assert f"<!-- generate: {name} -->" in text
        assert "\n|" not in text
