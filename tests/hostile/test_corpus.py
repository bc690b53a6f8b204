"""The corpus of hostile payloads: plain dill falls to each, and the policy to none."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.hostile.attack import Attack
from tests.hostile.corpus import CORPUS
from tests.hostile.ring import Ring

GROWN_BYTES_MAX = 100 << 20
"""How much memory a refused payload may cost the process that refuses it."""

each_attack = pytest.mark.parametrize("attack", CORPUS, ids=[attack.name for attack in CORPUS])
each_refused = pytest.mark.parametrize(
    "attack",
    [attack for attack in CORPUS if attack.permitted == "never"],
    ids=[attack.name for attack in CORPUS if attack.permitted == "never"],
)


def test_attacks_have_names_of_their_own() -> None:
    """A name in a report is one attack."""
    names = Counter(attack.name for attack in CORPUS)
    assert not [name for name, count in names.items() if count > 1]


@each_attack
def test_plain_dill_falls_to_the_attack(attack: Attack, ring: Ring) -> None:
    """The harm is seen in the stage that the attack says, and in none before."""
    outcome = ring.fight(attack, "dill", last=attack.fires)
    assert list(outcome.harms) == [attack.fires], outcome
    assert attack.harm in outcome.harms[attack.fires], outcome


@each_attack
def test_the_safe_policy_refuses_the_attack(attack: Attack, ring: Ring) -> None:
    """Refused without harm; hyper-parameters may load, and are left to the jail."""
    outcome = ring.fight(attack, "safe", last="load")
    assert outcome.refused or (attack.permitted == "safe" and outcome.loaded), outcome
    assert not outcome.harms, outcome
    assert outcome.grown_bytes < GROWN_BYTES_MAX


@each_refused
def test_the_code_policy_refuses_what_is_no_code(attack: Attack, ring: Ring) -> None:
    """By-value functions are let in, and nothing else is by the way."""
    outcome = ring.fight(attack, "code", last="load")
    assert outcome.refused, outcome
    assert not outcome.harms, outcome
    assert outcome.grown_bytes < GROWN_BYTES_MAX
