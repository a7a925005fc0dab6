"""What the inputs of a graph are, by their names and by what the graph shows: the rules that all readers of graphs share.

Graphs (ONNX, TensorFlow, TFLite) name their inputs, and leave axes without a name. `names` says what a name means, `axes`
which unnamed axes are one, `symbols` makes sizes of them, `roles` decides what each input holds, `limits` how large a
symbol can be.
"""
