"""Models of the Diffusers library: denoisers, autoencoders, priors and control nets, described from their source text."""
