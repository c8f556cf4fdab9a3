"""Proves the laws by breaking things: real processes under random misfortune, and the engine under random rules.

`python3 manage.py faults` is the way in (docs/reliability.md).
"""
