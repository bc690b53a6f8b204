"""What the demo does to the server: upload templates, stream sales, predict and learn by hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from thalweg import m5
from thalweg.account import Account, placed
from thalweg.cli.streaming import fail_if_refused, progress
from thalweg.demo.figures import Act, ByHand, absolute_errors

if TYPE_CHECKING:
    from thalweg import Client, Columns
    from thalweg.demo.scene import Scene

CANDIDATES = {"knn": m5.knn, "lm": m5.lm}
UPLOAD_SECONDS_MAX = 300.0
"""The first upload of its kind is compiled before the server answers; on a slow machine for
minutes."""


def upload(client: Client, scene: Scene) -> None:
    """Upload both pipelines once, as templates of every item to come."""
    for name, make in CANDIDATES.items():
        client.upload_model(
            scene.glob,
            make(),
            candidate=name,
            template=True,
            context=m5.CONTEXT,
            timeout=UPLOAD_SECONDS_MAX,
        )


def stream(client: Client, sales: m5.Sales, what: str) -> Act:
    """Stream sales; each row comes back as its champion predicted it before it was learned.

    Raises:
        Failure: the server refused a row.
    """
    waiting: deque[float] = deque()
    error_sum, scored = 0.0, 0
    counted = Account()
    acks = client.stream_learn(
        counted.sending(placed(_noted(sales, waiting))),
        return_predictions=True,
        reconnect_timeout=0.0,
    )
    with progress(what) as move:
        for ack in counted.follow(acks, move, sales.observations):
            targets = [waiting.popleft() for _ in ack.predictions]
            error, count = absolute_errors(targets, ack.predictions)
            error_sum, scored = error_sum + error, scored + count
    fail_if_refused(counted.rows, counted.error_count, counted.errors)
    return Act(
        days=len(sales.days),
        rows=counted.learned,
        seconds=counted.seconds,
        champion_error_sum=error_sum,
        champion_scored=scored,
    )


def _noted(sales: m5.Sales, waiting: deque[float]) -> Iterator[Columns]:
    """Yield batches, and keep their targets in the order sent, for when their acks come."""
    for batch in sales.columns():
        waiting.extend(float(target) for target in batch.targets)
        yield batch


def by_hand(client: Client, scene: Scene) -> ByHand:
    """Play the example's own calls: predict under an id, then learn the real sale by that id."""
    prediction_id = f"{scene.item}/{scene.day}"
    predicted = client.predict(
        scene.item, date=scene.day, prediction_id=prediction_id, all_candidates=True
    )
    learned = client.learn(scene.item, scene.sold, prediction_id=prediction_id)
    return ByHand(
        item=scene.item,
        day=str(scene.day),
        prediction_id=prediction_id,
        answered_by=predicted.candidate,
        predicted={
            one.candidate: one.prediction.value if one.prediction else None
            for one in predicted.candidates
        },
        sold=scene.sold,
        mae={score.candidate: score.mae for score in learned.scores},
    )
