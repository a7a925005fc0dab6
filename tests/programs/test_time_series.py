"""Forecasts: a window of the past with missing numbers, the group of each row, and what is known of the future."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from program_checks import assert_sound_export, build, describe_program, list_defects, write_shapes
from torch import nn

import dummyio
from dummyio.values import Columns


class Forecaster(nn.Module):
    """In the style of DeepAR: the batch is a dict of windows."""

    def __init__(self, defect=None):
        super().__init__()
        self.group = nn.ModuleList(nn.Embedding(n, 3) for n in (6, 3))
        self.cell = nn.GRU(1 + 1 + 4 + 6, 12, batch_first=True)
        self.head = nn.Linear(12 + 4, 2)
        self.defect = defect

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        target = batch["past_target"]
        observed = (~torch.isnan(target)).float()
        observed = observed * batch["past_observed_values"]
        if self.defect == "observed ignored":
            observed = torch.ones_like(observed)
        target = torch.nan_to_num(target) * observed
        scale = target.abs().sum(1, keepdim=True) / observed.sum(1, keepdim=True).clamp(min=1)
        ids = batch["group_ids"]
        if self.defect == "first group":
            ids = torch.cat([ids[:, :1], ids[:, 1:] * 0], 1)
        static = torch.cat([e(ids[:, i]) for i, e in enumerate(self.group)], -1)
        n = target.size(1)
        x = torch.cat(
            [
                (target / scale.clamp(min=1e-5))[..., None],
                observed[..., None],
                batch["past_time_feat"],
                static[:, None].expand(-1, n, -1),
            ],
            -1,
        )
        _, h = self.cell(x)
        future = batch["future_time_feat"]
        if self.defect == "future ignored":
            future = torch.zeros_like(future)
        h = h[-1][:, None].expand(-1, future.size(1), -1)
        return self.head(torch.cat([h, future], -1)) * scale[..., None]


class Linear(nn.Module):
    """DLinear on a context of one length; what is missing is filled with the mean of the rest."""

    def __init__(self, defect=None):
        super().__init__()
        self.seasonal = nn.Linear(24, 6)
        self.trend = nn.Linear(24, 6)
        self.defect = defect

    def forward(self, context, future_covariates=None):
        known = ~context.isnan()
        mean = torch.where(known, context, 0.0).sum(1, keepdim=True) / known.sum(1, keepdim=True)
        x = torch.where(known, context, mean)
        trend = nn.functional.avg_pool1d(x.transpose(1, 2), 5, 1, 2)
        y = self.trend(trend) + self.seasonal(x.transpose(1, 2) - trend)
        y = y.transpose(1, 2)
        if future_covariates is not None:
            y = y + future_covariates.mean(-1, keepdim=True)
        return y


@pytest.fixture(scope="module")
def forecaster():
    model = build(Forecaster)
    return model, describe_program(model)


def test_windows_in_a_dict_are_described(forecaster):
    _, spec = forecaster
    assert write_shapes(spec) == {
        "batch.past_target": "float32[batch_size, sequence_length]",
        "batch.past_observed_values": "float32[batch_size, sequence_length]",
        "batch.group_ids": "int64[batch_size, 2]",
        "batch.past_time_feat": "float32[batch_size, sequence_length, 4]",
        "batch.future_time_feat": "float32[batch_size, batch_future_time_feat_sequence_length, 4]",
    }
    assert dict(spec.leaves)["batch.group_ids"].values == Columns((6, 3))


@pytest.mark.parametrize("defect", ["observed ignored", "first group", "future ignored"])
def test_a_defect_is_found_by_values(forecaster, defect):
    model, spec = forecaster
    assert list_defects(spec, model, build(Forecaster, defect)) == {("values", "output")}


@pytest.mark.slow
def test_the_sound_export_is_accepted(forecaster, tmp_path):
    assert_sound_export(*forecaster, tmp_path / "model.onnx")


def test_missing_numbers_leave_the_results_finite(forecaster):
    model, spec = forecaster
    inputs = spec.feeds()
    inputs["batch.past_target"][0, :3] = np.nan
    made = dummyio.open_runner(model, spec)(inputs)["output"]
    assert np.isfinite(made).all()


def test_a_context_of_one_length_has_series_behind_it():
    assert write_shapes(describe_program(build(Linear))) == {"context": "float32[batch_size, 24, sequence_length]"}
    spec = dummyio.describe(build(Linear), optional_inputs=True)
    assert set(spec) == {"context", "future_covariates"}
    assert spec.proof.ineffective == {}


def test_recorded_calls_with_missing_numbers(forecaster):
    model = build(Linear)
    with dummyio.capture(model) as calls:
        for rows in (2, 3):
            context = torch.rand(rows, 24, 2) * 50
            context[0, :4] = float("nan")
            model(context)
    made = calls.spec().feeds()["context"]
    assert np.isfinite(made).all()
    assert made.max() > 2
