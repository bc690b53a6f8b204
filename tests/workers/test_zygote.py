"""The process that workers are forked from: it outlives them, and they do not outlive it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dill
import pytest
from river import linear_model, multiclass

from tests.estimators import linear
from tests.workers.conftest import limits
from tests.workers.driving import (
    Twins,
    ask,
    learn,
    load,
    processes,
    state_of,
    wait_until_gone,
)
from tests.workers.misbehaving import Misbehaving
from thalweg_server import jail
from thalweg_server.core.errors import BadPayload, PayloadRefused
from thalweg_server.core.observation import Flavor
from thalweg_server.core.policy import Origin, Policy
from thalweg_server.workers import WorkerEngine, WorkerFailed, Zygote, __main__
from thalweg_server.workers.host import Host
from thalweg_server.workers.zygote import NoJail

MODULES = ("tests.workers.misbehaving",)
MEMORY_BYTES = 64 << 20


@contextmanager
def started(modules: Sequence[str] = MODULES, **options: Any) -> Iterator[Zygote]:
    """One that a test may end."""
    zygote = Zygote(modules, **options)
    try:
        yield zygote
    finally:
        zygote.close()


def process_of(zygote: Zygote) -> int:
    """The process that forks."""
    assert zygote._process is not None
    return zygote._process.pid


@contextmanager
def jail_lacks(zygote: Zygote, *what: str) -> Iterator[None]:
    """As on a kernel that cannot close all doors."""
    before, zygote._missing = zygote.missing, what
    yield
    zygote._missing = tuple(before)


def test_one_that_dies_is_followed_by_another() -> None:
    """Its workers die with it, and their candidates come back; nobody is struck for it."""
    with started() as zygote:
        engine = WorkerEngine(zygote, limits())
        twins = Twins(engine)
        twin = twins.add(linear())
        twins.learn([twin], [{"a": 1.0}], [2.0])
        first, (worker,) = process_of(zygote), processes(engine).values()
        os.kill(first, signal.SIGKILL)
        wait_until_gone(first)
        wait_until_gone(worker)
        twins.learn([twin], [{"a": 2.0}], [3.0])
        twins.assert_same_state()
        assert process_of(zygote) != first
        assert engine.health(twin.slot).strikes == 0
        engine.close()


def test_the_order_of_sets_outlives_it() -> None:
    """River's one-against-one classifier sorts its classes by it: made again, it is the same."""
    labels = ["sky", "path", "foliage", "window", "grass", "brick"]
    with started([]) as zygote:
        engine = WorkerEngine(zygote, limits(lessons_max=1_000))
        model = multiclass.OneVsOneClassifier(linear_model.LogisticRegression())
        slot = load(engine, model, Flavor.MULTICLASS, origin=Origin()).slot
        learn(engine, [slot] * 60, [{"a": n / 7} for n in range(60)], labels * 10)
        dumps = []
        for _ in range(2):
            dumps.append(dill.loads(engine.dump(slot)))
            os.kill(process_of(zygote), signal.SIGKILL)
            for process in processes(engine).values():
                wait_until_gone(process)
        engine.close()
    assert list(dumps[0].classifiers) == list(dumps[1].classifiers)


def test_signals_for_the_server_do_not_end_it() -> None:
    """Not while it imports, and not later: the server drains, and needs it until then."""
    with started() as zygote:
        zygote.start()
        process = process_of(zygote)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(process, number)
        host = Host(zygote, MEMORY_BYTES)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(process, number)
            os.kill(host._born.process, number)
        assert host.ask(["size", 0], limits().call)[0] == "failed"
        assert process_of(zygote) == process
        host.end()


def test_closing_ends_all_workers() -> None:
    """Also those of an engine that is not closed; and nothing is made afterwards."""
    with started() as zygote:
        engine = WorkerEngine(zygote, limits())
        origins = [Origin(Policy.TRUSTED, name) for name in "ab"]
        for origin in origins:
            ask(engine, load(engine, Misbehaving(), origin=origin).slot)
        alive = [process_of(zygote), *processes(engine).values()]
        assert len({*alive}) == 3
        zygote.close()
        for process in alive:
            wait_until_gone(process)
        with pytest.raises(WorkerFailed, match="the server stops"):
            zygote.fork(MEMORY_BYTES)
        zygote.close()
        engine.close()


def test_an_ended_worker_leaves_no_zombie(zygote: Zygote) -> None:
    """It says how it ended, once."""
    host = Host(zygote, MEMORY_BYTES)
    process = host._born.process
    host.end()
    host.end()
    assert state_of(process) == ""
    assert zygote.ended(process) == "ended"


def test_a_module_that_is_not_there_is_named() -> None:
    """By whatever is asked of it, in one line; and nothing is written on stderr."""
    with started(["tests.workers.no_such_module"]) as zygote:
        message = (
            "workers cannot import tests.workers.no_such_module: ModuleNotFoundError: "
            "No module named 'tests.workers.no_such_module'"
        )
        with pytest.raises(WorkerFailed) as failure:
            _ = zygote.missing
        assert str(failure.value) == message
        with pytest.raises(WorkerFailed) as failure:
            zygote.fork(MEMORY_BYTES)
        assert str(failure.value) == message


def test_a_module_that_is_not_there_prints_no_trace(capfd: pytest.CaptureFixture[str]) -> None:
    """The server says it in its own words."""
    with started(["tests.workers.no_such_module"]) as zygote, pytest.raises(WorkerFailed):
        _ = zygote.missing
    assert "Traceback" not in capfd.readouterr().err


def test_without_workers_candidates_answer_with_the_reason(zygote: Zygote) -> None:
    """Nobody is struck, and all is there when there are workers again."""
    engine = WorkerEngine(zygote, limits())
    slot = load(engine, Misbehaving()).slot
    learn(engine, [slot], [{}], [2.0])
    engine._house.close()
    with started(["no_such_module"]) as broken:
        engine._house._zygote = broken
        error = ask(engine, slot).error
        outcomes = learn(engine, [slot], [{}], [5.0])
    engine._house._zygote = zygote
    assert error.startswith("there is no worker: workers cannot import no_such_module: ")
    assert outcomes.errors == {0: error}
    assert outcomes.unlearned == {0}
    assert ask(engine, slot).value == 2.0
    assert engine.health(slot).strikes == 0
    engine.close()


def test_a_jail_that_does_not_close_takes_no_code(zygote: Zygote) -> None:
    """The kernel's lacks are named, and the option; what holds no code is run all the same."""
    with jail_lacks(zygote, "Landlock", "seccomp filters"):
        with pytest.raises(NoJail, match=r"lacks Landlock, seccomp filters: .*--allow-unj"):
            zygote.fork(MEMORY_BYTES, coded=True)
        zygote.fork(MEMORY_BYTES).channel.close()
        zygote.allow_unjailed_code = True
        zygote.fork(MEMORY_BYTES, coded=True).channel.close()
        zygote.allow_unjailed_code = False


@pytest.mark.parametrize("policy", [Policy.CODE, Policy.TRUSTED])
def test_uploads_of_code_are_refused_without_a_jail(policy: Policy, zygote: Zygote) -> None:
    """By the policy, as PayloadRefused; candidates that are there answer with the reason."""
    engine = WorkerEngine(zygote, limits())
    before = load(engine, Misbehaving()).slot
    with jail_lacks(zygote, "seccomp filters"):
        with pytest.raises(PayloadRefused, match="this kernel lacks seccomp filters"):
            load(engine, linear(), origin=Origin(policy, "eve"))
        assert load(engine, linear(), origin=Origin()).slot > before
        assert "there is no worker: this kernel lacks seccomp filters" in ask(engine, before).error
    assert ask(engine, before).value == 0.0
    engine.close()


def test_what_the_kernel_can_do_is_told(zygote: Zygote) -> None:
    """By the process, and by each worker."""
    missing = list(jail.abilities().missing)
    assert list(zygote.missing) == missing
    host = Host(zygote, MEMORY_BYTES)
    assert list(host.missing) == missing
    host.end()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (lambda: os._exit(7), "ended with status 7"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), "was ended by SIGTERM"),
        (lambda: os.kill(os.getpid(), signal.SIGRTMIN + 5), "was ended by signal 39"),
    ],
)
def test_how_a_worker_ended_in_words(how: Any, words: str) -> None:
    """Signals without a name as well."""
    child = os.fork()
    if child == 0:
        how()
    assert __main__._status(child) == words
    assert __main__._status(child) == "ended"


class Interrupted(BaseException):
    """As Ctrl-C."""


def test_an_interrupted_question_has_nobody_elses_answer() -> None:
    """Who is interrupted while it waits leaves no answer behind for the next one."""

    def interrupt() -> None:
        raise Interrupted

    with started([]) as zygote:
        zygote.fork(MEMORY_BYTES).channel.close()
        os.kill(process_of(zygote), signal.SIGSTOP)
        with pytest.raises(WorkerFailed, match="a worker did not start"):
            zygote.fork(MEMORY_BYTES, meanwhile=interrupt)
        host = Host(zygote, MEMORY_BYTES)
        assert state_of(host._born.process) != ""
        host.end()


@pytest.mark.system
@pytest.mark.skipif(bool(jail.abilities().missing), reason="this kernel cannot jail")
def test_workers_find_what_uploads_name() -> None:
    """The modules that they are told to import, and no others."""
    with started([]) as zygote:
        engine = WorkerEngine(zygote, limits())
        with pytest.raises(BadPayload, match="ModuleNotFoundError: No module named 'tests"):
            load(engine, Misbehaving())
        engine.close()
