"""Models are summed up in groups, whose labels a rule cuts from their names."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner
from river import dummy, stats

from tests.cli.conftest import line_of
from tests.parts import Parts
from tests.scraping import learn, mean, read, upload, value
from thalweg.cli import cli
from thalweg_server.config import Config
from thalweg_server.core.freezing import freeze, thaw
from thalweg_server.core.groups import GROUPS_MAX, OTHER, BadRule, GroupRule
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Flavor
from thalweg_server.core.service import Service
from thalweg_server.core.totals import Totals
from thalweg_server.engines.river import RiverEngine
from thalweg_server.storage.memory import MemoryStore
from thalweg_server.telemetry import Telemetry

ITEMS = ("HOBBIES_1_001_CA_1", "HOBBIES_1_002_CA_1", "FOODS_3_827_WI_3", "bread")


def make_service(rule: str = "") -> Service:
    """A service that groups models by this rule; not initialised."""
    return Service(
        engine=RiverEngine(),
        store=MemoryStore(),
        limits=Limits(),
        clock=time.perf_counter,
        totals=Totals(GroupRule(rule)),
    )


def make_taught(rule: str = "") -> Service:
    """Four items, two candidates each, that have learned a target each."""
    service = make_service(rule)
    service.init(Flavor.REGRESSION, reset=False)
    upload(service, "*", "mean", mean(), template=True)
    upload(service, "*", "last", dummy.StatisticRegressor(stats.Shift(0)), template=True)
    learn(service, *((name, 3.0) for name in ITEMS))
    return service


def reborn(parts: Parts, rule: str) -> Service:
    """What a server of this rule makes of a snapshot."""
    service = make_service(rule)
    thaw(service, parts)
    return service


def frozen(service: Service) -> Parts:
    """A snapshot of it."""
    parts = Parts()
    freeze(service, parts)
    return parts


def errors(service: Service) -> dict[str, float]:
    """Group to sum of absolute errors of "mean"."""
    samples = read(Telemetry(service))
    name = "thalweg_group_absolute_error_total"
    return {
        dict(labels)["group"]: sample
        for (family, labels), sample in samples.items()
        if family == name and ("candidate", "mean") in labels
    }


@pytest.mark.parametrize(
    ("rule", "model", "label"),
    [
        ("", "HOBBIES_1_001_CA_1", "all"),
        ("m5", "HOBBIES_1_001_CA_1", "HOBBIES_1/CA_1"),
        ("m5", "HOUSEHOLD_2_516_TX_3", "HOUSEHOLD_2/TX_3"),
        ("m5", "HOBBIES_1_001_CA_1_validation", "other"),
        ("m5", "bread", "other"),
        (r"([^/]+)/.*", "zürich/bread", "zürich"),
        (r"(a)|(b)|()", "b", "b"),
        (r"(a)|(b)|()", "", "other"),
        (r"(a)(b)?(c)", "ac", "a/c"),
    ],
)
def test_a_rule_cuts_a_label_from_a_name(rule: str, model: str, label: str) -> None:
    """What its groups captured, joined; "other" where the whole name does not match."""
    assert GroupRule(rule).label(model) == label


@pytest.mark.parametrize(("rule", "said"), [("(", "is no regular expression"), ("a+", "no group")])
def test_what_is_no_rule_is_refused(rule: str, said: str) -> None:
    """With the reason, before anything starts."""
    with pytest.raises(BadRule, match=said):
        GroupRule(rule)
    with pytest.raises(ValueError, match=f"--metrics-group .*{said}"):
        Config(metrics_group=rule)


def test_the_command_line_refuses_what_is_no_rule() -> None:
    """In one line, and no server starts."""
    arguments = ["serve", "--ephemeral", "--port", "0", "--metrics-port", "0", "--metrics-group"]
    result = CliRunner().invoke(cli, [*arguments, "("], prog_name="thalweg")
    assert result.exit_code == 1
    assert line_of(result).startswith("thalweg: --metrics-group '(' is no regular expression")


def test_errors_are_summed_by_group_and_candidate() -> None:
    """And by candidate over all groups; nothing of it depends on who asks."""
    service = make_taught("m5")
    assert errors(service) == {"HOBBIES_1/CA_1": 6.0, "FOODS_3/WI_3": 3.0, "other": 3.0}
    samples = read(Telemetry(service))
    group = {"group": "HOBBIES_1/CA_1", "candidate": "mean"}
    assert value(samples, "thalweg_group_scored_predictions_total", **group) == 2
    assert value(samples, "thalweg_absolute_error_total", candidate="mean") == 12.0
    assert value(samples, "thalweg_scored_predictions_total", candidate="mean") == 4
    assert value(samples, "thalweg_nonfinite_predictions_total", candidate="last") == 4


def test_without_a_rule_all_models_are_one_group() -> None:
    """Dashboards by group work all the same."""
    assert errors(make_taught()) == {"all": 12.0}


def test_a_deleted_models_errors_stay_in_its_group() -> None:
    """A counter never falls."""
    service = make_taught("m5")
    service.delete("FOODS_3_827_WI_3", "", template=False)
    assert errors(service)["FOODS_3/WI_3"] == 3.0


def test_there_are_at_most_so_many_groups() -> None:
    """What comes later is in "other"; models of groups that there are go on in these."""
    totals = Totals(GroupRule("(.*)"))
    rows = [totals.group(f"model {n}", "a") for n in range(GROUPS_MAX + 10)]
    labels = {label for label, _ in totals.keys}
    assert len(labels) == GROUPS_MAX
    assert len({*rows}) == GROUPS_MAX
    assert {totals.keys[row] for row in rows[GROUPS_MAX - 1 :]} == {(OTHER, "a")}
    row = totals.group("model 3", "b")
    assert totals.keys[row] == ("model 3", "b")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("m5", "m5", {"HOBBIES_1/CA_1": 10.0, "FOODS_3/WI_3": 5.0, "other": 5.0}),
        ("", "m5", {"all": 12.0, "HOBBIES_1/CA_1": 4.0, "FOODS_3/WI_3": 2.0, "other": 2.0}),
        ("m5", "", {"HOBBIES_1/CA_1": 6.0, "FOODS_3/WI_3": 3.0, "other": 3.0, "all": 8.0}),
    ],
)
def test_a_restart_goes_on_where_the_sums_were(
    before: str, after: str, expected: dict[str, float]
) -> None:
    """By another rule models count in their new groups; the old ones keep what they had."""
    service = reborn(frozen(make_taught(before)), after)
    learn(service, *((name, 5.0) for name in ITEMS))
    assert errors(service) == expected
    totals = dict(service.totals.candidates())["mean"]
    assert (totals.absolute_error, totals.scored) == (20.0, 8)


@pytest.mark.parametrize("rule", ["", "m5"])
def test_a_snapshot_from_before_there_were_groups_is_read(rule: str) -> None:
    """Its sums are those of all models; champions and histories begin anew."""
    parts = frozen(make_taught())
    parts.bytes["totals/numbers"] = json.dumps({"mean": 0, "last": 1}).encode()
    del parts.bytes["totals/keys"], parts.bytes["totals/grouping"]
    for name in [name for name in parts.arrays if "/past" in name or "/switches" in name]:
        del parts.arrays[name]
    service = reborn(parts, rule)
    learn(service, ("bread", 5.0))
    sums = {"all": 14.0} if not rule else {"all": 12.0, "other": 2.0}
    assert errors(service) == sums
    assert dict(service.totals.candidates())["last"].scored == 1


def test_the_number_of_groups_is_bounded_anew_by_another_rule() -> None:
    """Who has given a bad one, and a better one since, has room for its groups."""
    bad = make_service("(.*)")
    bad.init(Flavor.REGRESSION, reset=False)
    for n in range(GROUPS_MAX):
        bad.totals.group(f"model {n}", "mean")
    for rule, label in (("m5", "HOBBIES_1/CA_1"), ("(.*)", OTHER)):
        totals = reborn(frozen(bad), rule).totals
        row = totals.group(ITEMS[0], "mean")
        assert totals.keys[row] == (label, "mean")
