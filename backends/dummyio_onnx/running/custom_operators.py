"""Libraries of custom operators, which a session of ONNX Runtime registers before it opens a model."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dummyio.errors import OptionError, SourceError, format_error_line
from dummyio.typing import FilePath

Libraries = FilePath | Sequence[FilePath] | None
"""One library, several, or none."""


def list_libraries(custom_ops: Libraries) -> tuple[Path, ...]:
    """Return the files of libraries.

    Raises
    ------
    OptionError
        for what is not a path or a list of paths.
    SourceError
        for a path that is not a file.
    """
    given = () if custom_ops is None else (custom_ops,) if isinstance(custom_ops, (str, os.PathLike)) else custom_ops
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, (str, os.PathLike)) for each in given):
        raise OptionError(f"custom_ops={custom_ops!r:.200}: give the path of a library, or a list of paths.")
    paths = tuple(Path(each) for each in given)
    missing = next((path for path in paths if not os.path.isfile(path)), None)  # noqa: PTH113 - raises for no name
    if missing is not None:
        raise SourceError(
            f"custom_ops: {str(missing)[-300:]!r} is not a file. Give the library of custom operators, such as libmy_ops.so."
        )
    return tuple(path.resolve() for path in paths)


def check_libraries(libraries: Sequence[FilePath]) -> None:
    """Raise `SourceError` if ONNX Runtime refuses a library; it is loaded for this."""
    import onnxruntime  # noqa: PLC0415 - lazy: listing needs no runtime

    register_libraries(onnxruntime.SessionOptions(), libraries)


def register_libraries(options: Any, libraries: Sequence[FilePath]) -> None:
    """Register libraries with the options of a session; raise `SourceError` if ONNX Runtime refuses one."""
    for path in libraries:
        try:
            options.register_custom_ops_library(os.fspath(path))
        except Exception as error:  # a status of ONNX Runtime, whose exceptions have no common base class
            raise SourceError(
                f"custom_ops: ONNX Runtime does not take {path} as a library of custom operators "
                f"({format_error_line(error, 300)}). Give a shared library for this system that exports RegisterCustomOps."
            ) from error
