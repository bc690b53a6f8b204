"""What users meet before anything runs: help, versions, wrong flags, environment variables."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from tests.cli.conftest import Run, line_of
from thalweg.cli import cli

COMMANDS = sorted(cli.commands)
GROUPS = {name: each for name, each in cli.commands.items() if isinstance(each, click.Group)}
LEAVES = sorted(
    [[name] for name in COMMANDS if name not in GROUPS]
    + [[name, each] for name, group in GROUPS.items() for each in group.commands]
)
HEAVY = (
    *("grpc", "numpy", "river", "rich", "pyarrow", "google.protobuf", "dill"),
    *("matplotlib", "plotille", "sqlalchemy"),
)
CODES = {0: ["--version"], 1: ["init", "--server", "127.0.0.1:1", "--timeout", "1"], 2: ["frob"]}


def test_the_commands_are_those_of_the_contract() -> None:
    """In the order of a day's work; `health` is for health checks of containers."""
    first = "serve demo health init warmup upload download"
    then = "delete predict plot learn stream sync models watch token"
    last = "verify backup restore completion"
    assert list(cli.commands) == [*first.split(), *then.split(), *last.split()]


def test_help_loads_nothing_heavy() -> None:
    """`thalweg --help`, and the help of a command, import neither River nor gRPC nor NumPy."""
    code = (
        "import sys\n"
        "from thalweg.cli import cli\n"
        f"for args in [['--help'], *([*each, '--help'] for each in {LEAVES!r})]:\n"
        "    try: cli.main(args)\n"
        "    except SystemExit as done: assert not done.code, args\n"
        f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_is_a_variable_that_help_shows(path: list[str]) -> None:
    """`--some-option` is THALWEG_SOME_OPTION, whatever the command."""
    text = CliRunner().invoke(cli, [*path, "--help"]).stdout
    shown = re.sub(r"\s+", " ", text)
    commands: click.Command = cli
    for name in path:
        assert isinstance(commands, click.Group)
        commands = commands.commands[name]
    for option in commands.params:
        if isinstance(option, click.Option):
            variable = "THALWEG_" + option.opts[0].removeprefix("--").replace("-", "_").upper()
            assert option.envvar == variable
            assert f"env var: {variable}" in shown


@pytest.mark.parametrize("path", [[], *([name] for name in GROUPS), *LEAVES], ids=" ".join)
def test_help_fits_80_columns(path: list[str]) -> None:
    """Paragraphs are wrapped, tables too; a command's summary is whole."""
    text = CliRunner().invoke(cli, [*path, "--help"], terminal_width=80).stdout
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "..." not in text.partition("Commands:")[2]


@pytest.mark.parametrize("path", [each for each in LEAVES if "token" not in each], ids=" ".join)
def test_help_tells_own_options_from_those_that_reach_the_server(path: list[str]) -> None:
    """What is the same for every command comes last, under its own heading."""
    text = CliRunner().invoke(cli, [*path, "--help"]).stdout
    own, heading, reaching = text.partition("How to reach the server:\n")
    assert ("--server HOST:PORT" in text) == bool(heading)
    assert "--server HOST:PORT" not in own
    assert "--json" not in reaching


@pytest.mark.parametrize("code", [*CODES, 130])
def test_exit_codes_are_documented(code: int) -> None:
    """`thalweg --help` names every code that a command ends with."""
    text = CliRunner().invoke(cli, ["--help"]).stdout
    assert re.search(rf"^ +{code} ", text.partition("Exit codes:")[2], re.MULTILINE)


@pytest.mark.parametrize("code", CODES)
def test_exit_codes_are_those_documented(code: int) -> None:
    """A script sees what became of its command; Ctrl-C has tests of its own."""
    command = [sys.executable, "-m", "thalweg.cli", *CODES[code]]
    assert subprocess.run(command, capture_output=True, check=False).returncode == code


@pytest.mark.parametrize("path", [each for each in LEAVES if each != ["completion"]], ids=" ".join)
def test_every_command_that_prints_can_print_for_machines(path: list[str]) -> None:
    """`--json` is everywhere but where a shell is what reads."""
    assert "--json" in CliRunner().invoke(cli, [*path, "--help"]).stdout


def test_version() -> None:
    """`--version` prints the distribution's."""
    assert CliRunner().invoke(cli, ["--version"]).stdout == f"thalweg {version('thalweg')}\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["frob"], "No such command 'frob'"),
        (["serve", "--prot", "1"], "No such option '--prot'"),
        (["serve", "--port", "70000"], "70000 is not in the range"),
        (["serve", "--flavor", "sweet"], "'sweet' is not one of"),
        (["predict"], "Missing argument 'MODEL'"),
        (["predict", "milk", "--date", "2016-02-30"], "'2016-02-30' is no day"),
        (["predict", "milk", "--date", "20160523"], "write YYYY-MM-DD"),
        (["predict", "milk", "--feature", "price"], "'price' is not NAME=VALUE"),
        (["predict", "milk", "--feature", "a=1", "--feature", "a=2"], "'a' is there twice"),
        (["predict", "milk", "--horizon", "367"], "367 is not in the range"),
        (["learn", "milk", "3", "--dat", "x"], "unexpected extra arguments"),
        (["learn", "milk", "null"], "null is no target"),
        (["upload", "milk", "x", "--context", "price"], "'price' is neither id nor date"),
        (["models", "--order-by", "size"], "'size' is not one of"),
        (["models", "--worst", "0"], "0 is not in the range"),
        (["models", "--worst", "3", "--limit", "4"], "--worst and --limit do not go together"),
        (["models", "--worst", "3", "--order-by", "mae"], "--worst and --order-by do not go"),
        (["models", "--watch", "--limit", "0"], "--watch lists 1 to 1,000 models"),
        (["models", "--watch", "--worst", "1001"], "--watch lists 1 to 1,000 models"),
        (["download", "milk", "-", "--json"], "--json and FILE - do not go together"),
        (["plot", "milk", "--horizon", "1"], "1 is not in the range"),
        (["plot", "milk", "--sales", "nowhere.csv"], "'nowhere.csv' does not exist"),
        (["completion", "tcsh"], "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
        (["init", "--timeout", "0"], "0.0 is not in the range"),
        (["init", "--reset"], "--reset needs --flavor"),
        (["stream", "nowhere.csv"], "'nowhere.csv' does not exist"),
        (["warmup", "-", "--estimator", "knn"], "'knn' is not NAME=SOURCE"),
        (["warmup", "-", "--keep-all"], "--keep-all is for --mode local"),
        (["warmup", "-", "--mode", "local", "--stream-id", "a"], "are for --mode remote"),
        (["demo", "--items", "0"], "0 is not in the range"),
        (["token", "new"], "Missing option '--role'"),
        (["token", "new", "--role", "owner"], "'owner' is not one of 'predict'"),
        (["token", "new", "--role", "learn", "--expires", "90"], "say 90d, 12h or 30m"),
        (["token", "new", "--role", "learn", "--expires", "0d"], "over before it begins"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(args: list[str], says: str) -> None:
    """The line says what is wrong and where help is."""
    result = CliRunner().invoke(cli, args, prog_name="thalweg")
    assert result.exit_code == 2
    line = line_of(result)
    assert says in line
    assert line.endswith("--help)")


def test_a_variable_is_an_option_and_a_flag_wins(run: Run) -> None:
    """THALWEG_FLAVOR is --flavor; what is typed overrides it."""
    assert run("init", THALWEG_FLAVOR="binary", THALWEG_RESET="1").exit_code == 0
    assert '"flavor": "binary"' in run("init", "--json").stdout
    run("init", "--flavor", "multiclass", "--reset", THALWEG_FLAVOR="binary")
    assert '"flavor": "multiclass"' in run("init", THALWEG_JSON="1").stdout


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["init", "--server", "127.0.0.1:1"], "no answer from 127.0.0.1:1 (--server)"),
        (["init", "--server", "example.org:1", "--token", "x"], "without tls the token"),
        (["upload", "milk", "nothing"], "nothing: neither a file nor module:function"),
        (["upload", "milk", "no_such_module:f"], "No module named 'no_such_module'"),
        (["upload", "milk", "thalweg.m5:xyz"], "has no attribute 'xyz'"),
        (["upload", "milk", "math:pi"], "neither an estimator nor a function"),
        (["upload", "milk", "math:sqrt"], "math:sqrt() raised TypeError"),
        (["stream", "-", "--glob", "m*"], "need a file, not stdin"),
        (["stream", "pyproject.toml"], "can read .csv"),
    ],
)
def test_what_fails_is_one_line_and_exit_1(run: Run, args: list[str], says: str) -> None:
    """The line says what to do about it."""
    result = run(*args, "--timeout", "1")
    assert result.exit_code == 1
    assert says in line_of(result)


def test_ctrl_c_is_one_line_and_exit_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the line, whatever was going on."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("thalweg.Client.init", interrupted)
    result = run("init")
    assert result.exit_code == 130
    assert line_of(result) == "thalweg: interrupted"
