"""The live page at `/`: what the server is doing now, for a person with a browser."""

from thalweg_server.page.site import Site
from thalweg_server.page.subject import Load, State, Subject

__all__ = ["Load", "Site", "State", "Subject"]
