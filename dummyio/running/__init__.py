"""Running models and artifacts on named NumPy feeds, and loading the model that a command line names."""
