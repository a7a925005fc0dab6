"""Time series: the axes that models differ in."""

import numpy as np
import pytest

from dummyio.generators.registry import DummyTimeSeriesInputGenerator, SizeWarning

LAGGED = {
    "context_length": 8,
    "prediction_length": 6,
    "lags_sequence": [1, 2, 5],
    "input_size": 1,
    "num_time_features": 3,
    "num_static_categorical_features": 2,
    "cardinality": [5, 7],
    "num_static_real_features": 1,
}


@pytest.mark.parametrize(
    ("config", "name", "shape"),
    [
        (LAGGED, "past_values", (2, 13)),
        ({**LAGGED, "input_size": 4}, "past_values", (2, 13, 4)),
        (LAGGED, "past_observed_mask", (2, 13)),
        (LAGGED, "past_time_features", (2, 13, 3)),
        (LAGGED, "future_values", (2, 6)),
        (LAGGED, "future_observed_mask", (2, 6)),
        (LAGGED, "future_time_features", (2, 6, 3)),
        (LAGGED, "static_categorical_features", (2, 2)),
        (LAGGED, "static_real_features", (2, 1)),
        ({"context_length": 14, "num_input_channels": 1}, "past_values", (2, 14, 1)),
        ({"context_length": 14, "num_input_channels": 1, "prediction_length": 7}, "future_values", (2, 7, 1)),
    ],
)
def test_shapes(config, name, shape):
    assert DummyTimeSeriesInputGenerator("time-series-forecasting", config).spec(name).sizes() == shape


def test_classes_are_below_the_smallest_cardinality():
    values = DummyTimeSeriesInputGenerator("x", LAGGED, batch_size=64).generate("static_categorical_features", "np")
    assert set(np.unique(values)) == {0, 1, 2, 3, 4}


def test_values_are_missing_here_and_there():
    mask = DummyTimeSeriesInputGenerator("x", LAGGED, batch_size=64).generate("past_observed_mask", "np")
    assert mask.dtype == bool
    assert 0.4 < mask.mean() < 0.6


def test_the_model_fixes_the_lengths():
    spec = DummyTimeSeriesInputGenerator("x", LAGGED).spec("past_values")
    assert str(spec.shape[1]) == "context_length + 5"
    with pytest.warns(SizeWarning):
        assert DummyTimeSeriesInputGenerator("x", LAGGED, context_length=10).spec("past_values").sizes() == (2, 15)


def test_padding_is_as_long_as_the_past_and_each_series_has_one_rhythm():
    generator = DummyTimeSeriesInputGenerator("x", {"context_length": 8, "freq_size": 3})
    assert generator.spec("past_values_padding").sizes() == generator.spec("past_values").sizes()
    assert generator.spec("freq").sizes() == (2, 1)
