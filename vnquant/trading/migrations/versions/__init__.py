"""Versions: one module a step, each naming the one before it."""
