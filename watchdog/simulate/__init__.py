"""Tries policies on a simulated fleet, in virtual time: see docs/simulate.md."""
