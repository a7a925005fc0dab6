"""Rules that the readers of all frameworks share: roles and axes by names, options, and what graphs show of their inputs."""
