"""Names that a class of normalized configurations states for attributes: in capitals in the class, or given to it."""

from collections.abc import Mapping

from dummyio.errors import OptionError, suggest_names
from dummyio.model_config.attribute_types import shorten_value


def collect_paths(kind: type, names: Mapping[str, str], *, allow_new: bool) -> dict[str, str]:
    """Return canonical name → path of attributes, of a class and of what is given; raise `OptionError` for an unknown name."""
    stated = {key: value for base in reversed(kind.__mro__) for key, value in vars(base).items() if key.isupper()}
    paths = {key.lower(): value for key, value in stated.items() if isinstance(value, str) and not key.startswith("_")}
    for name, path in names.items():
        if not isinstance(path, str):
            raise OptionError(f"{kind.__name__}: {name}={shorten_value(path)}: give the name of an attribute.")
        if name not in paths and not allow_new:
            raise OptionError(
                f"{kind.__name__} has no {name}. {suggest_names(name, paths)} allow_new=True adds a name to the class."
            )
    for prefix in [
        name for name in paths if name.endswith("_config")
    ]:  # what a class states of a part is below that part
        inner = getattr(kind, f"{prefix.removesuffix('_config').upper()}_NAMES", ())
        paths |= {name: f"{paths[prefix]}.{paths[name]}" for name in inner if name in paths}
    return {**paths, **names}
