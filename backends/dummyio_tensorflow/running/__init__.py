"""Running: models in memory and files as functions of NumPy feeds."""
