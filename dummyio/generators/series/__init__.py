"""Time series, trajectories and robot control."""
