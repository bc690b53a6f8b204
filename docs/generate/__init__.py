"""The parts of the documentation that are made from the code, so that they cannot lag it.

Each module has one function, `text`, that returns Markdown; `docs/hooks.py` puts it where a page
says `<!-- generate: NAME -->`. Nothing that is generated is committed.
"""

# Before anything loads gRPC, for it says what gRPC is to do when a server forks.
import thalweg_server  # noqa: F401
