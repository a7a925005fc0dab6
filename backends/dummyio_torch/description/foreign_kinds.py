"""Arguments of kinds that a spec does not have, neither dense tensors nor their containers: what they are, and the remedy."""

import re
from collections.abc import Sequence

from dummyio_torch.description.signature_arguments import Argument
from dummyio_torch.discovery.runs.layout_trial import Run

_KINDS: tuple[tuple[str, str, str, str], ...] = (
    (
        "PackedSequence",
        r"PackedSequence|_pad_packed_sequence",
        "a PackedSequence",
        "describe a wrapper that takes padded rows and their lengths, and packs them",
    ),
    (
        r"[Ss]parse",
        r"sparse|coalesce|crow_indices|ccol_indices",
        "a sparse tensor",
        "describe a wrapper that takes its indices and values, and makes it: torch.sparse_coo_tensor(indices, values, size)",
    ),
    (
        r"[Nn]ested",
        r"to_padded_tensor|[Nn]ested ?[Tt]ensor",
        "a nested tensor",
        "describe a wrapper that takes a list of tensors, and nests them: torch.nested.nested_tensor(rows)",
    ),
)
"""Pattern of an annotation, and of an error with its operation → what the argument is, and the remedy."""


def explain_foreign_kinds(arguments: Sequence[Argument], far: Run | None) -> str:
    """Return which arguments are of a kind that a spec does not have, and the remedy; empty if none is known to be."""
    if far is None or far.error is None:
        return ""
    name, operands = (far.spy.last or ("", (), {}))[:2]
    text = f"{name} {far.error}"
    for annotation, words, kind, remedy in _KINDS:
        stated = [each.name for each in arguments if re.search(annotation, each.text)]
        if not stated and not re.search(words, text):
            continue
        lineage = far.spy.lineage(operands[0]) if operands else None
        found = stated or sorted(path.partition(".")[0] for path in (lineage.sources if lineage is not None else ()))
        return f" {_list_names(found or [each.name for each in arguments])} seems to be {kind}, and a spec describes dense tensors: {remedy}."
    classes = [each for each in arguments if each.form == "record"]
    if classes and isinstance(far.error, (AssertionError, TypeError)):
        names, text = _list_names([each.name for each in classes]), classes[0].text
        return f" {names} is annotated as {text}, and a spec makes a record of its items: where the module needs the class itself, describe a wrapper that takes its tensors and makes it."
    return ""


def _list_names(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
