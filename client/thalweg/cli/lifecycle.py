"""Commands about models as things: init, upload, download, delete."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

import click

from thalweg.cli import estimators, output
from thalweg.cli.completion import model_argument
from thalweg.cli.connection import client_command
from thalweg.cli.group import Failure
from thalweg.cli.serve import FLAVORS
from thalweg.cli.values import context_option

if TYPE_CHECKING:
    from thalweg import Client

_TEMPLATE = click.option("--template", is_flag=True, help="MODEL is a glob: the template's name.")


@client_command()
@click.option("--flavor", type=FLAVORS, help="What models predict; without it only ask.")
@click.option("--reset", is_flag=True, help="With --flavor: remove everything the server holds.")
@output.json_option
def init(client: Client, flavor: str | None, reset: bool, as_json: bool) -> None:
    """Say what models predict, or ask."""
    if reset and flavor is None:
        raise click.UsageError("--reset needs --flavor: what models predict from now on")
    info = client.init(flavor, reset=reset)
    if as_json:
        output.print_json(info)
        return
    click.echo(
        f"Thalweg {info.server_version}, {info.flavor or 'not initialised'}, "
        f"{info.model_count:,} models, storage: {info.storage} "
        f"(River {info.river_version}, Python {info.python_version})"
    )


@client_command()
@model_argument
@click.argument("source")
@click.option("--candidate", default="default", help="Name of this estimator in the model.")
@_TEMPLATE
@click.option("--replace", is_flag=True, help="Take the place of a candidate of that name.")
@click.option("--apply-to-existing", is_flag=True, help="With --template: to models there, too.")
@context_option("")
@output.json_option
def upload(  # noqa: PLR0913 - one parameter per option
    client: Client,
    *,
    model: str,
    source: str,
    candidate: str,
    template: bool,
    replace: bool,
    apply_to_existing: bool,
    context: tuple[str, ...],
    as_json: bool,
) -> None:
    """Upload an estimator to a MODEL.

    SOURCE is a file of dill bytes, or module:function that makes an estimator, such as
    thalweg.m5:knn.
    """
    info = client.upload_model(
        model,
        estimators.load(source),
        candidate=candidate,
        template=template,
        replace=replace,
        apply_to_existing=apply_to_existing,
        context=context,
    )
    if as_json:
        output.print_json(info)
        return
    kind = "template" if info.template else "model"
    names = ", ".join(output.visible(one.candidate) for one in info.candidates)
    click.echo(f"{kind} {output.visible(info.model)}: {names} (champion: {info.champion or '-'})")


@client_command()
@model_argument
@click.argument("target", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--candidate", default="", help="Which; without it the champion.")
@_TEMPLATE
@output.json_option
def download(
    client: Client, *, model: str, target: str, candidate: str, template: bool, as_json: bool
) -> None:
    """Write a MODEL to a FILE of dill bytes.

    It is the candidate as it is now, with all it has learned. FILE - is stdout.
    """
    if target == "-" and as_json:
        raise click.UsageError("--json and FILE - do not go together: both are for stdout")
    payload = client.download_model(model, candidate=candidate, template=template)
    if target == "-":
        if sys.stdout.isatty():
            raise Failure("dill bytes are not for the screen: name a file")
        click.echo(payload, nl=False)
        return
    _write(Path(target), payload)
    if as_json:
        digest = hashlib.sha256(payload).hexdigest()
        output.print_json({"file": target, "bytes": len(payload), "sha256": digest})
    else:
        click.echo(f"{len(payload):,} bytes in {target}")


def _write(path: Path, payload: bytes) -> None:
    """Write a file as a whole or not at all."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
        try:
            part.write(payload)
            part.close()
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


@client_command()
@model_argument
@click.option("--candidate", default="", help="Only this one; without it all of the model.")
@_TEMPLATE
@output.json_option
def delete(client: Client, model: str, candidate: str, template: bool, as_json: bool) -> None:
    """Remove a MODEL, or one candidate of it."""
    client.delete_model(model, candidate=candidate, template=template)
    if as_json:
        output.print_json({"model": model, "candidate": candidate or None, "deleted": True})
    else:
        what = f"candidate {output.visible(candidate)} of " if candidate else ""
        click.echo(f"deleted {what}{output.visible(model)}")
