"""The search for inputs that a module takes: runs of a copy without memory, each with one change of the layout."""
