"""Corrections of what exporters write and runtimes do wrong without an error; `registry` lists them all."""
