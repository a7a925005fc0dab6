"""What the preprocessor of a model type gives its model: whether a tokenizer tells texts of a pair apart, and which inputs there are.

Read from the source text of the installed library; nothing is loaded, and no file of a model is needed.
"""

import re
from functools import lru_cache

from dummyio.huggingface.source.auto_tables import Preprocessing, class_source, preprocessor_table
from dummyio.huggingface.source.class_lookup import ClassSource, base_classes

_INPUT_NAMES = re.compile(r"^    model_input_names(?:: [^=\n]+)? = \[([^\]]*)\]", re.MULTILINE)
_SECOND_TYPE = re.compile(r"\$B:1|:1 *['\"]")
_NO_TYPES = re.compile(r"RobertaProcessing\(|TemplateProcessing\(")
_TYPES = "token_type_ids"
_MAKES_TYPES = "def create_token_type_ids_from_sequences"


@lru_cache(maxsize=512)
def tells_texts_apart(model_type: str) -> bool | None:
    """Return whether the tokenizer of a model type gives the second text of a pair a type of its own.

    None if the library names no tokenizer for the type, or one whose source does not state how it joins two texts.
    """
    source = _find_class(model_type, "tokenization")
    if source is None:
        return None
    if _TYPES in (_read_names(source) or ()) or _SECOND_TYPE.search(source.text):
        return True
    if _NO_TYPES.search(source.text):
        return False
    return _makes_types(source)


def _makes_types(source: ClassSource) -> bool | None:
    """Return whether a tokenizer in Python makes types by the method that all of them inherit; None if it is none."""
    owners = base_classes(source)
    return True if any(_MAKES_TYPES in owner.text for owner in owners[1:]) else None


@lru_cache(maxsize=512)
def list_heard_inputs(model_type: str) -> tuple[str, ...]:
    """Return the names of the inputs that the feature extractor of a model type makes of sounds; none if none is known."""
    source = _find_class(model_type, "feature_extraction")
    owners = base_classes(source) if source is not None else ()
    return next((names for owner in owners if (names := _read_names(owner)) is not None), ())


def _find_class(model_type: str, kind: Preprocessing) -> ClassSource | None:
    listed = preprocessor_table(kind).get(model_type)
    name = listed[0] if isinstance(listed, tuple | list) and listed else listed
    return class_source(name, model_type, kind) if isinstance(name, str) else None


def _read_names(source: ClassSource) -> tuple[str, ...] | None:
    found = _INPUT_NAMES.search(source.text)
    return None if found is None else tuple(re.findall(r"[\"'](\w+)[\"']", found.group(1)))
