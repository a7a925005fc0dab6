"""Proofs of descriptions, for every framework: what runs of a model show of a spec, and how a refused spec is corrected."""
