"""The name of a dynamic axis by its input and its place, names that are identifiers and unique, and sizes by meaning."""

import keyword
import re
import unicodedata

from dummyio.sources.input_names import (
    get_model_part,
    get_name_prefix,
    is_ids,
    is_mask,
    is_padding_mask,
    is_parallel_ids,
    is_past,
)
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES

IMAGE_RANK = 4
"""The axes of a batch of images; videos have one more."""
_ANONYMOUS = re.compile(
    r"|\?+|\*+|-\d+|(none|unk|unknown)(_*\d+)?|null|nan|any|undefined|unnamed|dynamic|dyn", re.IGNORECASE
)
_KEYWORDS = frozenset(
    "self spec source task framework device seed sample samples n start path index format force progress".split()  # noqa: SIM905
)
"""Keywords of the functions that take sizes by name."""

_MEANINGS: tuple[tuple[str, str], ...] = (
    (r"past", "past_sequence_length"),
    (r"batch|^(n|b|bs|bsz)$", "batch_size"),
    (r"choice", "num_choices"),
    (r"channel|^c$", "num_channels"),
    (r"height|image_?size|^h$", "height"),
    (r"width|^w$", "width"),
    (r"audio|waveform|(^|_)samples", "audio_sequence_length"),
    (r"num_frames", "num_frames"),
    (r"frames", "nb_max_frames"),
    (r"(^|_)mels?(_|$)|feature", "feature_size"),
    (r"seq|len|token|time|^[stl]$", "sequence_length"),
)
"""Part of a dim's name → the dim whose default size it has; the first match counts."""


def is_anonymous(text: str) -> bool:
    """Return whether a text stands for an axis without a name: exporters write ``?``, ``None`` or ``unk__4`` for axes of any size.

    Two axes with one such text are not one size: the numbers of tf2onnx are given anew for each value.
    """
    return _ANONYMOUS.fullmatch(text.strip()) is not None


def to_identifier(text: str) -> str:
    """Return any text as an identifier that is not a keyword and not a parameter of the functions that take sizes."""
    plain = unicodedata.normalize("NFKC", text)
    name = re.sub(r"\W+", "_", plain)
    name = (name if plain.startswith("_") else name.strip("_")) or "dim"
    name = name if name.isidentifier() else f"dim_{name}"
    return f"{name}_size" if keyword.iskeyword(name) or name in _KEYWORDS else name


def make_unique(name: str, used: set[str], owner: str = "") -> str:
    """Return a name that is not in `used`, and add it there.

    Parameters
    ----------
    name
        The name to use if it is free.
    used
        The names so far.
    owner
        The path of the input, which is put before a name that is taken; without it, or if that is taken too, a number follows.
    """
    longer = [f"{owner.replace('.', '_')}_{name}"] if owner else []
    names = (name, *longer, *(f"{name}_{number}" for number in range(2, len(used) + 3)))
    found = next(each for each in names if each not in used and each.isidentifier())
    used.add(found)
    return found


def usual_axes(name: str, rank: int) -> tuple[str, ...]:
    """Return the usual names of an input's axes; empty texts for axes that its name does not explain."""
    if rank == 2 and (is_ids(name) or is_padding_mask(name) or is_parallel_ids(name)):
        return ("batch_size", f"{get_name_prefix(name)}sequence_length")
    if rank == 4 and is_past(name):
        return ("batch_size", "", "past_sequence_length", "")
    return ("",) * rank


def get_image_axes(rank: int, *, channels_last: bool) -> tuple[str, ...]:
    """Return the names of the axes of a batch of images (rank 4) or videos (rank 5)."""
    places = ("num_frames", "height", "width")[-(rank - 2) :]
    return ("batch_size", *places, "num_channels") if channels_last else ("batch_size", "num_channels", *places)


def name_axis(path: str, place: int, rank: int, *, floating: bool, channels_last: bool = False) -> str:
    """Return the name of a dynamic axis by its place.

    Parameters
    ----------
    path
        The input.
    place, rank
        Which of its axes it is, and of how many.
    floating
        Whether the elements are floats, so that four axes or more are those of an image.
    channels_last
        Whether the last axis of an image is its channels.
    """
    if place == 0:
        return "batch_size"
    last = rank - 1 if channels_last else rank
    if floating and rank >= 4 and place in (last - 2, last - 1):
        return ("height", "width")[place - last]
    if is_mask(path) or (place == 1 and rank <= 3):
        return prefix_part("sequence_length", path)
    return name_by_place(path, place)


def name_by_place(path: str, place: int) -> str:
    """Return the name of an axis of which only the place is known."""
    return f"{path.replace('.', '_')}_size_{place}"


def name_unnamed_axis(owner: str, place: int) -> str:
    """Return the text for an axis of a tensor, `owner`, that its graph does not name."""
    return f"{owner}_dim_{place}"


def prefix_part(name: str, path: str) -> str:
    """Return the name of an axis with the part of the model that its input belongs to: ``src_sequence_length``."""
    part = get_model_part(path.split(".", maxsplit=1)[0])
    return f"{part}_{name}" if part else name


def guess_size(name: str) -> int | None:
    """Return the default size of a dim by its name or by a word in it; None if the name explains nothing."""
    meant = (meaning for pattern, meaning in _MEANINGS if re.search(pattern, name.lower()))
    return DEFAULT_DUMMY_SHAPES.get(name) or DEFAULT_DUMMY_SHAPES.get(next(meant, ""))


def guess_size_by_place(place: int, rank: int) -> int:
    """Return the default size of an axis whose name explains nothing."""
    names = ("batch_size", "sequence_length") if rank < 4 else get_image_axes(4, channels_last=False)
    return DEFAULT_DUMMY_SHAPES[names[min(place, len(names) - 1)]]
