"""Guarded stand-ins for the callables that picklers name: each checks its own arguments."""
