"""What a graph shows of its inputs: one walk along its operations collects facts of each value."""
