"""A module as a function of named tensors: what calls of modules have in common in runs, descriptions and exports."""
