"""The demo from start to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from thalweg import Client, errors
from thalweg.cli.group import Failure
from thalweg.demo import acts, gather, report
from thalweg.demo.figures import Figures, qualities, standing
from thalweg.demo.process import ServerProcess
from thalweg.demo.scene import Choice, Scene, choose

__all__ = ["Choice", "play"]

Say = Callable[[str], None]
PATIENCE_SECONDS = 1.0
"""An upload whose code is compiled already takes a fraction of it."""


def play(choice: Choice, *, started: float, keep: bool, as_json: bool) -> None:
    """Run the demo.

    Args:
        choice: which sales.
        started: when the command began, by `time.perf_counter`.
        keep: leave the server up until Ctrl-C.
        as_json: print the figures for machines, and nothing else.

    Raises:
        Failure: whatever went wrong, in one line; the server is stopped.
    """
    say: Say = (lambda text: None) if as_json else report.say
    with ServerProcess() as process:
        scene = choose(choice)  # while the server starts
        process.wait_ready()
        try:
            with Client(process.address) as client:
                figures = _tell(client, scene, process, say)
        except errors.ThalwegError as error:
            raise Failure(process.ended or str(error)) from error
        seconds = time.perf_counter() - started
        if as_json:
            report.show_json(figures, seconds)
        else:
            report.show(figures, seconds)
        if keep:
            _keep(process, say)


def _tell(client: Client, scene: Scene, process: ServerProcess, say: Say) -> Figures:
    """Play every act and return the figures."""
    say(report.opening(client.init(), process.address, scene))
    with _told_if_slow(lambda: say(report.compiling())):
        acts.upload(client, scene)
    warm_up = acts.stream(client, scene.warm_up, "warming up")
    before = standing(gather.all_models(client))
    say(report.act("Warm-up", warm_up))
    streamed = acts.stream(client, scene.streamed, "streaming")
    say(report.act("Stream", streamed))
    by_hand = acts.by_hand(client, scene)
    say(report.by_hand(by_hand))
    forecast = gather.forecast(client, scene)
    models = list(gather.all_models(client))
    after = standing(models)
    return Figures(
        address=process.address,
        metrics=process.metrics,
        items=after.models,
        warm_up=warm_up,
        streamed=streamed,
        qualities=qualities(before, after, warm_up, streamed, by_hand),
        unusable=after.unusable,
        by_hand=by_hand,
        forecast=forecast,
        worst=gather.worst(client, scene),
        best=gather.best(models, scene),
        metrics_lines=gather.metrics_lines(process.metrics, scene.item),
    )


@contextmanager
def _told_if_slow(tell: Callable[[], None]) -> Iterator[None]:
    """Tell why it takes so long, if it does."""
    timer = threading.Timer(PATIENCE_SECONDS, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _keep(process: ServerProcess, say: Say) -> None:
    """Wait for Ctrl-C, which is how this is meant to end."""
    say(report.kept(process.address, process.metrics))
    try:
        process.wait()
    except KeyboardInterrupt:
        return
    raise Failure(process.ended)
