"""Writes the dashboards into the folder that Grafana is provisioned from; takes no arguments."""

from __future__ import annotations

from pathlib import Path

from deploy.dashboards.pages import texts

FOLDER = Path(__file__).resolve().parent.parent / "grafana" / "dashboards"


def write(folder: Path) -> None:
    """Writes every dashboard to a file of its own in `folder`."""
    for name, text in texts().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write(FOLDER)
