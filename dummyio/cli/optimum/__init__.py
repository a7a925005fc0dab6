"""``dummyio optimum``: the command line of Optimum's exporter, option by option."""
