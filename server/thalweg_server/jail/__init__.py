"""The jail: confines a process that runs foreign estimators, for good, with the kernel's help."""

from thalweg_server.jail.abilities import Abilities, abilities
from thalweg_server.jail.entering import Bounds, enter
from thalweg_server.jail.kernel import JailFailed
from thalweg_server.jail.preload import preload

__all__ = ["Abilities", "Bounds", "JailFailed", "abilities", "enter", "preload"]
