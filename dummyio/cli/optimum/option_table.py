"""The options of ``optimum-cli export onnx``, and what each does here.

Each option has the same effect, or the values that would have another are refused with what to use instead; none is ignored. The
table makes the options of the command and the table of the documentation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from dummyio.cli.shared_options import Tolerance

SAME, PART, REFUSED = "same", "some values", "refused"


@dataclass(frozen=True, slots=True)
class OptimumOption:
    """One option: its names on the command line, its values, and what they do."""

    names: tuple[str, ...]
    does: str
    """`SAME`, `PART` or `REFUSED`."""
    text: str
    """The effect, and for refused values the reason and what to use instead."""
    type: Any = str
    default: Any = None
    flag: bool = False
    setting: str | None = None
    """The size, or the option of the exporter, that gets the value."""
    takes: Callable[[Any], bool] | None = None
    """Whether a value is not refused; None if all are taken, or for a refused option none."""

    @property
    def key(self) -> str:
        """The name of the parameter in Python."""
        return self.names[-1].lstrip("-").replace("-", "_")

    def refuses(self, value: Any) -> bool:
        """Return whether the option was given a value that is refused."""
        if value is None or value is False:
            return False
        return not self.takes(value) if self.takes else self.does == REFUSED

    def build(self) -> click.Option:
        """Return the option of the command."""
        choices: dict[str, Any] = {"is_flag": True} if self.flag else {"type": self.type, "default": self.default}
        return click.Option([*self.names, self.key], help=self.text.replace("`", ""), **choices)


def _size(name: str, what: str) -> OptimumOption:
    text = f"{what} of the example inputs. A model that has no such size refuses it."
    return OptimumOption((f"--{name}",), SAME, text, type=click.IntRange(min=0), setting=name)


OPTIONS = (
    OptimumOption(
        ("-m", "--model"),
        PART,
        "The folder of a model, or its config.json. A name on a hub is refused, since nothing is downloaded: download the model "
        "first, with `hf download`, and give the folder.",
    ),
    OptimumOption(
        ("--task",),
        SAME,
        "The task; `auto` is that of the model's class, and takes the past if the model generates text. A task without `-with-past` is "
        "exported without the past; for an encoder-decoder, whose decoder always has it here, add `-with-past`, or `--monolith`.",
        default="auto",
    ),
    OptimumOption(("--opset",), SAME, "The version of the operators.", type=click.IntRange(min=7), setting="opset"),
    OptimumOption(
        ("--device",),
        PART,
        "`cpu`. The graph does not depend on the device of the export: leave the option out.",
        default="cpu",
        takes="cpu".__eq__,
    ),
    OptimumOption(
        ("--dtype",),
        SAME,
        "The precision of the weights: fp32, fp16, bf16. Inputs keep the dtype that the model has, so that the same feeds run all files.",
        type=click.Choice(["fp32", "fp16", "bf16"]),
    ),
    OptimumOption(
        ("--optimize",),
        REFUSED,
        "A file that ONNX Runtime has optimized runs on no other runtime, and ONNX Runtime optimizes each file again when it loads it: "
        "leave the option out.",
        type=click.Choice(["O1", "O2", "O3", "O4"]),
    ),
    OptimumOption(("--monolith",), SAME, "One file for the whole model; for a task without `-with-past`.", flag=True),
    OptimumOption(
        ("--no-post-process",),
        SAME,
        "No decoder_model_merged.onnx beside the files of the two steps of a decoder.",
        flag=True,
    ),
    OptimumOption(
        ("--variant",),
        PART,
        "`default`. Other variants are sets of inputs of single architectures: describe the inputs and give them to "
        "`dummyio.export(model, path, spec=...)`.",
        default="default",
        takes="default".__eq__,
    ),
    OptimumOption(
        ("--framework",), SAME, "`pt`, the framework of the models.", type=click.Choice(["pt"]), default="pt"
    ),
    OptimumOption(
        ("--atol",),
        SAME,
        "The absolute tolerance of the validation, instead of that which follows from the precision.",
        type=Tolerance(min=0),
    ),
    OptimumOption(
        ("--cache_dir",),
        REFUSED,
        "Nothing is downloaded, so a cache has no use: give the folder of the model as `--model`.",
    ),
    OptimumOption(
        ("--trust-remote-code",),
        REFUSED,
        "Code in the folder of a model is not run: import its class, and export an object with `dummyio export file.py:name OUT`.",
        flag=True,
    ),
    OptimumOption(
        ("--pad_token_id",),
        REFUSED,
        "The configuration has it: write `pad_token_id` into the config.json of the model, where its runtime reads it too.",
        type=int,
    ),
    OptimumOption(
        ("--library-name",),
        PART,
        "`transformers`. Export a model of another library as an object: `dummyio export file.py:name OUT`.",
        type=click.Choice(["transformers", "diffusers", "timm", "sentence_transformers"]),
        takes="transformers".__eq__,
    ),
    OptimumOption(
        ("--model-kwargs",),
        REFUSED,
        "An argument that is not a tensor is a part of the model: set it in its config.json, or export an object that passes it, with "
        "`dummyio export file.py:name OUT`.",
    ),
    OptimumOption(("--no-dynamic-axes",), SAME, "All axes get the sizes of the example inputs.", flag=True),
    OptimumOption(
        ("--no-constant-folding",),
        SAME,
        "Constants are not folded; neither is the graph simplified in other ways.",
        flag=True,
    ),
    OptimumOption(
        ("--slim",),
        REFUSED,
        "The graph is simplified in any case. For more, run `onnxslim` on the written file, and then `dummyio validate`.",
        flag=True,
    ),
    _size("batch_size", "The number of rows"),
    _size("sequence_length", "The length of texts"),
    _size("num_choices", "The number of choices"),
    _size("width", "The width of images"),
    _size("height", "The height of images"),
    _size("num_channels", "The number of channels of images"),
    _size("feature_size", "The number of features of a frame of sound"),
    _size("nb_max_frames", "The number of frames of sound"),
    _size("audio_sequence_length", "The number of samples of sound"),
    _size("point_batch_size", "The number of masks for each image"),
    _size("nb_points_per_image", "The number of points for each mask"),
    _size("visual_seq_length", "The number of visual tokens"),
)
"""All options, in the order of Optimum's help."""


def render_table() -> str:
    """Return the table of the documentation."""
    rows = [
        f"| {', '.join(f'`{name}`' for name in option.names)} | {option.does} | {option.text} |" for option in OPTIONS
    ]
    return "\n".join(["| option | here | what it does, or what to use instead |", "|---|---|---|", *rows])
