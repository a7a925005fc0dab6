"""Corrections of a spec that a module refuses, each chosen by what failed."""
