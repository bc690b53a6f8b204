"""`thalweg verify`, `backup` and `restore`: what a data directory is looked after with."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from thalweg.cli import output
from thalweg.cli.group import Command, Failure, show
from thalweg.cli.serve import incomplete

if TYPE_CHECKING:
    from thalweg_server.storage.checking import Findings, SnapshotFindings

_PATH = click.Path(path_type=Path)
_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_AGES = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))


@click.command(cls=Command)
@click.argument("data_dir", type=_PATH, envvar="THALWEG_DATA_DIR")
@output.json_option
def verify(data_dir: Path, as_json: bool) -> None:
    """Check everything in DATA_DIR, and change nothing.

    Reads every entry of the log and every snapshot, and whether a server could start from
    them; one line on stderr for each damage, exit code 1 if there is any. A server may be
    running on DATA_DIR: it goes on, and its write-ahead log grows until this is done.
    """
    versions = _versions()
    with _explained():
        from thalweg_server.storage.checking import check  # noqa: PLC0415

        findings = check(data_dir, versions)
    if as_json:
        output.print_json(_facts(findings, data_dir))
    else:
        _print(findings, data_dir)
    for damage in findings.damages:
        show(Failure(damage))
    if not findings.whole:
        click.get_current_context().exit(1)


@click.command(cls=Command)
@click.argument("data_dir", type=_PATH)
@click.argument("dest", type=_PATH)
@output.json_option
def backup(data_dir: Path, dest: Path, as_json: bool) -> None:
    """Copy DATA_DIR to DEST, also while its server runs.

    DEST is the log as it is at one moment, with everything acknowledged before, and the
    snapshots that it needs. It is read back before it is called a backup, and until then has
    another name. DEST must be missing or empty.
    """
    findings = _copy(data_dir, dest, _versions())
    if as_json:
        output.print_json(_facts(findings, dest))
    else:
        click.echo(f"{dest}: {_said(findings)}")


@click.command(cls=Command)
@click.argument("source", metavar="BACKUP", type=_PATH)
@click.argument("data_dir", type=_PATH)
@output.json_option
def restore(source: Path, data_dir: Path, as_json: bool) -> None:
    """Make DATA_DIR of BACKUP, for a server to start on.

    BACKUP is checked before anything is written, and DATA_DIR when it is. DATA_DIR must be
    missing or empty. What was learned after the backup is not in it.
    """
    versions = _versions()
    with _explained():
        from thalweg_server.storage.checking import check  # noqa: PLC0415

        damages = check(source, versions).damages
    if damages:
        raise Failure(f"nothing is restored: {damages[0]}")
    findings = _copy(source, data_dir, versions)
    if as_json:
        output.print_json(_facts(findings, data_dir))
    else:
        command = shlex.join(("thalweg", "serve", "--data-dir", str(data_dir)))
        click.echo(f"{data_dir}: {_said(findings)}; now run: {command}")


def _copy(source: Path, target: Path, versions: Mapping[str, str]) -> Findings:
    from thalweg.progress import reporting  # noqa: PLC0415
    from thalweg_server.storage.copying import copy_directory  # noqa: PLC0415

    with _explained(), reporting(sys.stderr.isatty(), "copying", "pages") as report:
        copied = copy_directory(source, target, versions, report)
    for problem in copied.passed_over:
        show(Failure(f"not copied, for it is not needed: {problem}"))
    return copied.findings


def _versions() -> Mapping[str, str]:
    """Return what this server reads snapshots with, if there is a server to load."""
    try:
        import thalweg_server.storage.copying  # noqa: PLC0415, F401 - it may not be installed
        from thalweg_server.versions import VERSIONS  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise incomplete(error) from error
    return VERSIONS


@contextmanager
def _explained() -> Iterator[None]:
    from thalweg_server.core.errors import CorruptStorage  # noqa: PLC0415

    try:
        yield
    except CorruptStorage as problem:
        raise Failure(str(problem)) from problem


def _print(findings: Findings, folder: Path) -> None:
    click.echo(f"{folder}: {_said(findings)}")
    if findings.snapshots:
        rows = [_cells(each) for each in findings.snapshots]
        output.print_table(("snapshot", "state", "log from", "age", "size"), rows, names=2)
    for each in findings.snapshots:
        if each.remark and each.remark not in findings.damages:
            click.echo(each.remark)
    if findings.whole:
        click.echo("whole")


def _said(findings: Findings) -> str:
    """Return in a few words what there is."""
    log = findings.log
    which = "entries"
    if log.first is not None and log.next is not None and log.first < log.next:
        which = f"entries {log.first:,} to {log.next - 1:,}"
    count = output.counted(len(findings.snapshots), "snapshot")
    size = sum(each.size_bytes for each in findings.snapshots) + log.size_bytes
    return f"{which} ({log.entries:,}, {output.counted(log.rows, 'row')}), {count}, {_size(size)}"


def _cells(snapshot: SnapshotFindings) -> tuple[str, ...]:
    created = snapshot.created
    age = "-" if created is None else _in_units(time.time() - created, _AGES, "seconds")
    size = _size(snapshot.size_bytes)
    return snapshot.path.name, str(snapshot.state), f"{snapshot.progress.batch:,}", age, size


def _size(count: int) -> str:
    return _in_units(count, _SIZES, "bytes")


def _in_units(value: float, units: tuple[tuple[float, str], ...], smallest: str) -> str:
    for factor, name in units:
        if value >= factor:
            return f"{value / factor:.1f} {name}"
    return f"{max(0, value):.0f} {smallest}"


def _facts(findings: Findings, folder: Path) -> dict[str, Any]:
    """Return everything, for machines."""
    log = findings.log
    return {
        "directory": str(folder),
        "whole": findings.whole,
        "log": {
            "first": log.first,
            "last": None if log.next is None else log.next - 1,
            "entries": log.entries,
            "rows": log.rows,
            "size_bytes": log.size_bytes,
        },
        "snapshots": [_snapshot_facts(each) for each in findings.snapshots],
        "damages": list(findings.damages),
    }


def _snapshot_facts(snapshot: SnapshotFindings) -> dict[str, Any]:
    return {
        "file": snapshot.path.name,
        "state": str(snapshot.state),
        "log_from": snapshot.progress.batch,
        "created": snapshot.created,
        "size_bytes": snapshot.size_bytes,
        "remark": snapshot.remark,
    }
