"""Which group of models a model is reported with: a label that is cut from its name."""

from __future__ import annotations

import re
from dataclasses import dataclass

ALL = "all"
"""The group of every model where there is no rule."""

OTHER = "other"
"""The group of models whose names do not match the rule, and of those that are too many."""

GROUPS_MAX = 1_000
"""Groups at most, OTHER among them: each is a handful of series for good."""

NAMED = {"m5": "([A-Z]+_[0-9])_[0-9]{3}_([A-Z]{2}_[0-9])"}
"""Rules with a name. m5: HOBBIES_1_001_CA_1 is of department HOBBIES_1 and of store CA_1."""


class BadRule(ValueError):
    """What was given as a rule is none; says why, in one line."""


@dataclass(frozen=True, slots=True)
class GroupRule:
    """How models are grouped.

    Args:
        text: a regular expression with groups for a whole name, a name of NAMED, or empty: then
            all models are in one group.

    Raises:
        BadRule: it is no regular expression, or has no groups.
    """

    text: str = ""

    def __post_init__(self) -> None:
        """Refuses what is no rule."""
        try:
            groups = self._pattern.groups
        except re.error as error:
            raise BadRule(f"{self.text!r} is no regular expression: {error}") from error
        if self.text and not groups:
            raise BadRule(
                f"{self.text!r} has no group in parentheses, and so no label to cut from a name"
            )

    def label(self, model: str) -> str:
        """The group of a model of that name.

        >>> GroupRule("m5").label("HOBBIES_1_001_CA_1"), GroupRule("m5").label("bread")
        ('HOBBIES_1/CA_1', 'other')
        """
        if not self.text:
            return ALL
        found = self._pattern.fullmatch(model)
        return "/".join(filter(None, found.groups())) or OTHER if found else OTHER

    @property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(NAMED.get(self.text, self.text))
