"""The parts by which a model runs, each with its own spec, from the specs of the whole model."""
