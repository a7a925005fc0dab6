"""The `InputSpec` of a function, a Flax module or an exported function."""
