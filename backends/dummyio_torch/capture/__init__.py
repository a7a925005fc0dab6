"""From recorded calls of a module to its `InputSpec`."""
