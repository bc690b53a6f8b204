"""The tutorial and the how-tos do what they say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import DOCS, ROOT, Reader, blocks

pytestmark = pytest.mark.timeout(400)  # the first server compiles its kernels

NAV: list[Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
TUTORIAL, HOW_TO = (
    [DOCS / page for entry in NAV if title in entry for page in entry[title]]
    for title in ("Tutorial", "How to")
)
RUN = [page for page in HOW_TO if {"sh", "python"} & {language for language, _ in blocks(page)}]


def need_programs(*pages: Path) -> None:
    """Skip where a program that the pages use is missing."""
    text = "".join(page.read_text() for page in pages)
    for program in ("openssl", "curl"):
        if program in text and shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def test_the_tutorial_runs_from_its_first_page_to_its_last(tmp_path: Path) -> None:
    """Its blocks, in order and in one folder, work and print what stands behind them."""
    need_programs(*TUTORIAL)
    with Reader(tmp_path) as reader:
        assert all(reader.read(page) for page in TUTORIAL)


@pytest.mark.parametrize("page", RUN, ids=[page.stem for page in RUN])
def test_a_how_to_runs(page: Path, tmp_path: Path) -> None:
    """Each page works by itself, from an empty folder."""
    need_programs(page)
    with Reader(tmp_path) as reader:
        assert reader.read(page)
