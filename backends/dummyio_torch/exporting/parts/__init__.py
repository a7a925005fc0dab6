"""The parts of a model, each as a module with its own spec, for a runtime that needs several files."""
