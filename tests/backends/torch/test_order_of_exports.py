"""An export does not depend on those before it in the process. ``nox -s fuzz`` exports all models; by default four of them."""

import inspect

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from torch import nn
from torch.nn import functional
from torch_modules import Function

import dummyio
from dummyio import Dim, InputSpec, TensorSpec

ROWS, LONG, HEIGHT, WIDTH = Dim("rows", 3), Dim("long", 8), Dim("height", 9), Dim("width", 12)
SERIES, IMAGE = (ROWS, LONG, 4), (ROWS, 4, HEIGHT, WIDTH)


class Loop(nn.Module):
    """Steps over the length of a series."""

    def forward(self, x):
        total = torch.zeros_like(x[:, 0])
        for step in range(x.shape[1]):
            total = torch.tanh(total + x[:, step])
        return total


MODELS = {
    "linear": (lambda: nn.Linear(4, 5), SERIES),
    "rnn": (lambda: nn.RNN(4, 5, batch_first=True), SERIES),
    "gru": (lambda: nn.GRU(4, 5, batch_first=True), SERIES),
    "lstm": (lambda: nn.LSTM(4, 5, batch_first=True), SERIES),
    "two lstms": (lambda: nn.LSTM(4, 5, num_layers=2, bidirectional=True, batch_first=True), SERIES),
    "length first": (lambda: nn.LSTM(4, 5, bidirectional=True), (LONG, ROWS, 4)),
    "convolution": (lambda: nn.Conv2d(4, 6, 3, padding=1), IMAGE),
    "series": (lambda: nn.Conv1d(4, 6, 3, padding=1), (ROWS, 4, LONG)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 2, stride=2), IMAGE),
    "norms": (lambda: nn.Sequential(nn.LayerNorm(4), nn.GELU(), nn.Softmax(-1)), SERIES),
    "batch norm": (lambda: nn.BatchNorm2d(4), IMAGE),
    "pooling": (lambda: nn.AdaptiveAvgPool2d(2), IMAGE),
    "attention": (lambda: nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), SERIES),
    "larger image": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    "loop": (Loop, SERIES),
    "choice": (
        lambda: Function(lambda x: torch.where(torch.arange(x.shape[1])[:, None] < x.shape[1] // 2, x, -x)),
        SERIES,
    ),
    "places": (lambda: Function(lambda x: torch.nonzero(x > 0.5)), SERIES),
    "sums": (lambda: Function(lambda x: x.cumsum(1) / x.shape[1]), SERIES),
    "padded": (lambda: Function(lambda x: functional.pad(x, (0, 0, 2, 1))), SERIES),
    "sorted": (lambda: Function(lambda x: torch.sort(x, dim=1, stable=True).values), SERIES),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_exports_do_not_depend_on_earlier_ones(tmp_path, request):
    names = list(MODELS)
    if request.config.getoption("--fuzz-share") < 1:
        names = ["linear", "rnn", "lstm", "loop"]
    third = len(names) // 3
    graphs = {}
    for turn, order in enumerate((names, names[::-1], names[third:] + names[:third])):
        for name in order:
            make, shape = MODELS[name]
            torch.manual_seed(0)
            module = make().eval()
            argument = next(iter(inspect.signature(module.forward).parameters))
            spec = InputSpec({argument: TensorSpec(argument, shape)})
            path = dummyio.export(module, tmp_path / f"{turn}" / f"{name}.onnx", spec=spec).path
            graphs.setdefault(name, set()).add(onnx.load(path).graph.SerializeToString(deterministic=True))
    assert {name: len(found) for name, found in graphs.items()} == dict.fromkeys(names, 1)
