"""From a module to its `InputSpec`: its signature, a search for a layout that it takes, and the ranges of its dims."""
