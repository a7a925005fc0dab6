"""Choices of Optimum's exporters that no rule over a model derives, as data; `dummyio.describe` does not read them."""
