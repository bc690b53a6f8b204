"""All dashboards: the names of their files, and their texts."""

from __future__ import annotations

import json

from deploy.dashboards import fleet, quality, service
from grafana_foundation_sdk.cog.encoder import JSONEncoder


def texts() -> dict[str, str]:
    """The JSON of every dashboard by the name of its file; the same at every call."""
    pages = (service.page(), quality.page(), fleet.page())
    return {
        f"{page.uid}.json": json.dumps(page.build(), cls=JSONEncoder, indent=2, sort_keys=True)
        + "\n"
        for page in pages
    }
