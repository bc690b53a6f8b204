"""What is installed for tests and for the image is locked, by hashes, and is what we asked for."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REMAKE = "remake the locks: locks/update"

LOCKS = {"dev": ("dev",), "server": ("server", "postgres"), "build": ()}
"""Extras whose requirements a lock holds. The build's are in that of its name, and in dev's."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One entry of a lock: a version, the condition it is under, and hashes of its files."""

    version: Version
    marker: str
    hashes: tuple[str, ...]


def pins(lock: str) -> dict[str, Pin]:
    """The entries of a lock, by name; fails where a line is anything else."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text()
    lines = re.sub(r" *\\\n *", " ", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE)).split("\n")
    found: dict[str, Pin] = {}
    for line in filter(None, lines):
        if line == "--only-binary :all:":
            continue
        entry = re.fullmatch(r"(\S+)==(\S+)( ; .+?)?((?: --hash=sha256:[0-9a-f]{64})+)", line)
        assert entry, f"{lock}: no pin with hashes: {line[:100]}; {REMAKE}"
        name, version, marker, hashes = entry.groups("")
        assert name not in found, f"{lock}: two versions of {name}; {REMAKE}"
        found[name] = Pin(Version(version), marker, tuple(hashes.split()))
    return found


def required(extra: str) -> Iterator[Requirement]:
    """What an extra asks for, with the extras of ours that it names."""
    for text in PROJECT["project"]["optional-dependencies"][extra]:
        requirement = Requirement(text)
        if requirement.name != PROJECT["project"]["name"]:
            yield requirement
        for own in requirement.extras if requirement.name == PROJECT["project"]["name"] else ():
            yield from required(own)


def asked_of(lock: str) -> list[Requirement]:
    """All direct requirements that a lock is made for."""
    base = [] if lock == "build" else PROJECT["project"]["dependencies"]
    build = [] if lock == "server" else PROJECT["build-system"]["requires"]
    extras = [each for extra in LOCKS[lock] for each in required(extra)]
    return [*map(Requirement, [*base, *build]), *extras]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_meets_every_requirement_of_the_project(lock: str) -> None:
    """Each direct dependency is locked, at a version that pyproject.toml allows."""
    locked = pins(lock)
    asked = asked_of(lock)
    assert len(asked) >= 1
    for requirement in asked:
        pin = locked.get(canonicalize_name(requirement.name))
        assert pin, f"locks/{lock}.txt lacks {requirement}; {REMAKE}"
        fits = requirement.specifier.contains(pin.version, prereleases=True)
        assert fits, f"locks/{lock}.txt has {requirement.name} {pin.version}, {REMAKE}"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_allows_nothing_but_wheels_of_known_content(lock: str) -> None:
    """Every entry has a SHA-256, and none is built from source, whose build knows no lock."""
    assert "\n--only-binary :all:\n" in (ROOT / "locks" / f"{lock}.txt").read_text()
    assert all(pin.hashes for pin in pins(lock).values())


@pytest.mark.parametrize("lock", ["server", "build"])
def test_what_runs_is_what_was_tested(lock: str) -> None:
    """The image has no package, and no version of one, that CI does not install."""
    tested = pins("dev")
    for name, pin in pins(lock).items():
        assert name in tested, f"locks/dev.txt lacks {name}; {REMAKE}"
        assert (pin.version, set(pin.hashes)) == (tested[name].version, set(tested[name].hashes))


def commands(path: str) -> list[str]:
    """The shell commands of a file: one per line, without comments."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / path).read_text())
    bare = re.sub(r"(?m)(^|\s)#.*$", "", text)
    return [each.strip() for each in re.split(r"\n|&&|;", bare) if each.strip()]


@pytest.mark.parametrize("path", [".ci/run", "Dockerfile"])
def test_nothing_is_installed_without_its_hash(path: str) -> None:
    """Each pip line checks hashes, or installs the project itself and nothing with it."""
    installs = [each for each in commands(path) if re.search(r"\bpip\b.* (install|wheel)\b", each)]
    locked = [each for each in installs if "--require-hashes -r locks/" in each]
    own = [each for each in installs if "--no-deps" in each]
    assert locked
    assert own
    assert set(installs) == set(locked) | set(own), installs
    built = [each for each in own if each.endswith(" .")]
    assert built
    assert all("--no-build-isolation" in each for each in built), "its build would fetch"


def test_the_image_runs_as_nobody_in_particular() -> None:
    """By number, so that a cluster can tell that it is not root; nothing goes back to root."""
    users = [each.split()[1] for each in commands("Dockerfile") if each.startswith("USER ")]
    assert users == ["10001:10001"]


def test_the_image_stands_on_a_named_version() -> None:
    """No base image is `latest`, said or unsaid."""
    lines = commands("Dockerfile")
    named = dict(each.split()[1].split("=", 1) for each in lines if each.startswith("ARG "))
    bases = [each.split()[1] for each in lines if each.startswith("FROM ")]
    assert len(bases) == 2
    for base in bases:
        image = re.sub(r"\$\{(\w+)\}", lambda match: named[match[1]], base)
        assert re.fullmatch(r"python:3\.11\S*|python@sha256:\S+", image), image


def test_the_build_sees_nothing_but_what_it_copies() -> None:
    """No data, keys or history go to the Docker engine: all is left out, then let in by name."""
    first, *others = [
        each for each in (ROOT / ".dockerignore").read_text().splitlines() if each[0] != "#"
    ]
    copied = {
        part.split("/")[0]
        for each in commands("Dockerfile")
        if each.startswith("COPY ") and "--from" not in each
        for part in each.split()[1:-1]
    }
    assert first == "*"
    assert {each[1:] for each in others if each.startswith("!")} == copied


@pytest.fixture
def image(tmp_path: Path) -> dict[str, str]:
    """The environment of the image, with a `thalweg` that prints what it is asked."""
    stub = tmp_path / "bin" / "thalweg"
    stub.parent.mkdir()
    stub.write_text('#!/bin/sh\necho "asked: $*"\n')
    stub.chmod(0o755)
    keys = tmp_path / "keys"
    keys.mkdir()
    settings = re.findall(r"(THALWEG_\w+)=(\S+)", "\n".join(commands("Dockerfile")))
    named = {name: value.replace("/etc/thalweg", str(keys)) for name, value in settings}
    assert len([value for value in named.values() if value.startswith(str(keys))]) == 4
    return {"PATH": f"{stub.parent}:{os.environ['PATH']}", **named}


def run(script: str, environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """Runs a script of the image; its exit code, output and errors."""
    done = subprocess.run(
        [str(ROOT / "deploy" / script), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_image_without_keys_says_what_to_mount(image: dict[str, str]) -> None:
    """One line on stderr names every file that is missing, and nothing is started."""
    code, out, err = run("entrypoint", image, "serve")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    for name in ("TLS_CERT", "TLS_KEY", "TOKENS", "METRICS_TOKEN_FILE"):
        assert f" {image[f'THALWEG_{name}']}" in err
    assert "-v DIR:/etc/thalweg:ro" in err


def test_the_image_with_keys_serves(image: dict[str, str]) -> None:
    """Once the files are there it hands over to `thalweg`."""
    for value in image.values():
        if "/keys/" in value:
            Path(value).touch()
    assert run("entrypoint", image, "serve") == (0, "asked: serve\n", "")


def test_the_image_runs_any_other_command(image: dict[str, str]) -> None:
    """Making the keys, for one, needs none."""
    code, out, _ = run("entrypoint", image, "token", "new", "--role", "admin")
    assert (code, out) == (0, "asked: token new --role admin\n")


def test_the_health_check_speaks_tls_and_trusts_one_certificate(image: dict[str, str]) -> None:
    """It goes to the server's own port with the server's own certificate."""
    _, out, _ = run("healthcheck", image | {"THALWEG_PORT": "6000"})
    certificate = image["THALWEG_TLS_CERT"]
    assert out == f"asked: health --server localhost:6000 --timeout 4 --ca {certificate}\n"


def test_the_health_check_follows_a_server_without_tls(image: dict[str, str]) -> None:
    """Where the certificate is taken away, the check speaks in clear, as the server does."""
    _, out, _ = run("healthcheck", image | {"THALWEG_TLS_CERT": ""})
    assert out == "asked: health --server localhost:50051 --timeout 4\n"
