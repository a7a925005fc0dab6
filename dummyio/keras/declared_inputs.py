"""The inputs that a Keras model declares: its symbolic inputs, or the shapes that it was built on."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import DTypeError, SourceError
from dummyio.keras.calls import check_keras_backend, functional_inputs, name_keras_inputs
from dummyio.sources.declared import Declared, Leaf, iterate_declared, leaves_from_nest
from dummyio.sources.input_names import is_ids, is_padding_mask, is_parallel_ids
from dummyio.sources.known_values import choose_known_values
from dummyio.spec.dtypes import DType


def declared_from_keras(model: Any) -> Declared:
    """Return the inputs of a Keras model that is made of inputs, or is built.

    Raises
    ------
    SourceError
        for a model that is not built yet, and if Keras runs on a framework that has no backend here.
    """
    check_keras_backend()
    struct = functional_inputs(model)
    if struct is not None:
        tree = {name: leaves_from_nest(value, _make_leaf, name) for name, value in name_keras_inputs(struct).items()}
        declared = Declared(qualified_name(model), tree, callable=model)
        _read_pixels(model, declared)
        _read_vocabularies(model, struct, declared)
        return declared
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        raise SourceError(
            f"{qualified_name(model)} is not built, so it declares no inputs: call it once on real inputs, or "
            "model.build(shape), and describe it then."
        )
    return _declared_from_shapes(model, dict(shapes))


def _make_leaf(tensor: Any, name: str) -> Leaf:
    try:
        # Keras 2 has the dtypes of TensorFlow, Keras 3 their names.
        return Leaf(tuple(tensor.shape), DType.of(str(getattr(tensor.dtype, "name", tensor.dtype))))
    except (DTypeError, TypeError) as error:
        raise SourceError(f"input {name!r} has dtype {tensor.dtype}, which no array can have: {error}") from error


def _read_pixels(model: Any, declared: Declared) -> None:
    """Note that an image has pixels in [0, 256), if the model divides it by 255 or 127.5."""
    images = [name for name, leaf in declared.tree.items() if isinstance(leaf, Leaf) and len(leaf.axes or ()) == 4]
    layers = model._flatten_layers()  # noqa: SLF001 - the public list ends at the layers of the model itself
    scales = [getattr(layer, "scale", None) for layer in layers if type(layer).__name__ == "Rescaling"]
    if len(images) == 1 and any(isinstance(scale, float) and scale in (1 / 255, 1 / 127.5) for scale in scales):
        declared.ranges[images[0]] = (0, 256)
        declared.notes[f"input {images[0]}"] = "pixels in [0, 256): the model has a layer that rescales them"


def _read_vocabularies(model: Any, struct: Any, declared: Declared) -> None:
    """Note the values of inputs that a layer looks up: those of its vocabulary, and one outside if it takes such."""
    for taken, layer in iterate_first_layers(model, struct):
        list_words = getattr(layer, "get_vocabulary", None)
        if list_words is None:
            continue
        words = [
            value.item() if hasattr(value, "item") else value for value in list_words(include_special_tokens=False)
        ]
        if not words:
            continue
        takes_others = getattr(layer, "num_oov_indices", 1) != 0
        declared.rules[taken] = choose_known_values(
            words, is_text=type(layer).__name__ == "TextVectorization", takes_others=takes_others
        )
        declared.notes[f"input {taken}"] = f"looked up in a vocabulary of {len(words)}"


def iterate_first_layers(model: Any, struct: Any) -> Iterator[tuple[str, Any]]:
    """Yield each layer that is called on one of the model's inputs alone, after the name of that input."""
    named = name_keras_inputs(struct)
    for layer in model._flatten_layers():  # noqa: SLF001 - inner models have layers too
        taken = _read_input(layer)
        name = next((name for name, value in named.items() if value is taken), None)
        if name is not None:
            yield name, layer


def _read_input(layer: Any) -> Any:
    """Return the symbolic tensor that a layer of a model is called on; None if there is not exactly one."""
    try:
        return layer.input
    except (AttributeError, ValueError):
        return None


def _declared_from_shapes(model: Any, shapes: Mapping[str, Any]) -> Declared:
    """Return inputs of the shapes that a model was built on: the batch is dynamic, and names distinguish ids and masks."""
    arguments = [
        name
        for name, parameter in inspect.signature(model.call).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    named = {name.removesuffix("_shape"): shape for name, shape in shapes.items()}
    if len(named) == 1 and not set(named) <= set(arguments):
        named = {arguments[0]: next(iter(named.values()))} if arguments else named
    floating = str(getattr(model, "input_dtype", None) or getattr(model, "compute_dtype", None) or "float32")
    tree = {name: _leaves(shape, name, floating) for name, shape in named.items()}
    if len(tree) == 1 and isinstance(only := next(iter(tree.values())), dict):
        tree = only  # the one argument is the dict of inputs
    guessed = frozenset(path for path, _ in iterate_declared(tree))
    return Declared(qualified_name(model), tree, callable=model, guessed=guessed)


def _leaves(shape: Any, name: str, floating: str) -> Any:
    if isinstance(shape, Mapping):
        return {str(key): _leaves(value, str(key), floating) for key, value in shape.items()}
    if isinstance(shape, (list, tuple)) and shape and not all(size is None or isinstance(size, int) for size in shape):
        return [_leaves(value, f"{name}_{index}", floating) for index, value in enumerate(shape)]
    whole = is_ids(name) or is_padding_mask(name) or is_parallel_ids(name)
    sizes = tuple(shape or ())
    dynamic = 2 if whole and len(sizes) == 2 else 1  # the length of a text, too
    axes = (*(None for _ in sizes[:dynamic]), *sizes[dynamic:])
    return Leaf(axes, DType.INT32 if whole else DType.of(floating))
