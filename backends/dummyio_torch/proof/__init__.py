"""Runs the description of a module: a guess is run, corrected by what the run shows, and proved at several sizes."""
