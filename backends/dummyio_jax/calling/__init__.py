"""A JAX function, Flax module or exported function as one function of named inputs."""
