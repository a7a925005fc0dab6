"""The parts by which a model of text and another medium runs."""
