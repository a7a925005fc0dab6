"""The files of a model: what a folder contains, and what its parts must agree on."""
