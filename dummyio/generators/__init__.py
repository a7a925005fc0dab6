"""Generators: from an input's name to its description, one file for each modality.

A generator only ever describes; materializing is the backends'. Its interface is that of Optimum's generators
(``supports_input``, ``generate``, constructor ``(task, normalized_config, **shapes)``) on top of ``spec(name)``.
"""
