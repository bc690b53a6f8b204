"""Model workers: processes behind closed doors that load uploads and run what River has to run.

The server's own process never unpickles. It keeps of each candidate what it was made from and what
it has learned since (`records`), so that a worker may end at any moment and nothing is lost.
"""

from thalweg_server.workers.engine import WorkerEngine
from thalweg_server.workers.zygote import WorkerFailed, Zygote

__all__ = ["WorkerEngine", "WorkerFailed", "Zygote"]
