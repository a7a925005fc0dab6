"""Time series: past values, features of each moment, and future values.

Models that cut a series into patches or mix its channels count channels (``num_input_channels``), and always have an axis
for them; models that look back by lags (``lags_sequence``) need as much more past as the longest lag, and have that axis
only for several channels (``input_size``).
"""

from collections.abc import Sequence

from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant, Normal, Uniform


class DummyTimeSeriesInputGenerator(DummyInputGenerator):
    """Values [batch, moments, channels], what was observed of them, and features of moments and series."""

    @property
    def past(self) -> Size:
        """How many moments lie in the past."""
        context = self.given_or_fixed("context_length", self.config.get("context_length"))
        lags = self.config.raw("lags_sequence")
        return context + max(lags) if isinstance(lags, Sequence) and lags else context

    @property
    def future(self) -> Dim:
        """How many moments are to be foretold."""
        return self.given_or_fixed(
            "prediction_length", self.config.get("prediction_length") or self.config.get("horizon_length")
        )

    @property
    def channels(self) -> tuple[int, ...]:
        """The axis of channels, where there is one."""
        number = self.config.integer("num_input_channels", 1)
        always = self.config.raw("num_input_channels") is not None
        return (number,) if always or number > 1 else ()

    def series(self, name: str, moments: Size) -> TensorSpec:
        """Return the values of so many moments, normal, as scalers leave them."""
        return self.floats(name, (self.dim("batch_size"), moments, *self.channels), Normal())

    def observed(self, name: str, moments: Size) -> TensorSpec:
        """Return which values were observed: values are missing here and there, not at an end."""
        return TensorSpec(name, (self.dim("batch_size"), moments, *self.channels), "bool", Uniform(0, 2))

    def features(self, name: str, moments: Size) -> TensorSpec:
        """Return features of moments in [-0.5, 0.5), as those of hours, days and months are."""
        number = self.config.integer("num_time_features")
        return self.floats(name, (self.dim("batch_size"), moments, number), Uniform(-0.5, 0.5))

    def describe_past_values(self) -> TensorSpec:
        """The values of the past."""
        return self.series("past_values", self.past)

    def describe_past_values_padding(self) -> TensorSpec:
        """1 for values that are padding: none is."""
        return self.ints("past_values_padding", (self.dim("batch_size"), self.past), Constant(0))

    def describe_freq(self) -> TensorSpec:
        """The kind of rhythm that a series has [batch, 1]: added to each patch of it."""
        return self.ints("freq", (self.dim("batch_size"), 1), Uniform(0, self.config.integer("freq_size", 1)))

    def describe_past_observed_mask(self) -> TensorSpec:
        """Which values of the past were observed."""
        return self.observed("past_observed_mask", self.past)

    def describe_past_time_features(self) -> TensorSpec:
        """Features of the past's moments [batch, moments, features]."""
        return self.features("past_time_features", self.past)

    def describe_future_values(self) -> TensorSpec:
        """The values to be foretold."""
        return self.series("future_values", self.future)

    def describe_future_observed_mask(self) -> TensorSpec:
        """Which values of the future will be observed."""
        return self.observed("future_observed_mask", self.future)

    def describe_future_time_features(self) -> TensorSpec:
        """Features of the future's moments [batch, moments, features]."""
        return self.features("future_time_features", self.future)

    def describe_static_categorical_features(self) -> TensorSpec:
        """Classes of a series [batch, features], each below the smallest ``cardinality``, and so below all."""
        number = self.config.integer("num_static_categorical_features")
        sizes = self.config.raw("cardinality")
        high = min(sizes) if isinstance(sizes, Sequence) and sizes else 2
        return self.ints("static_categorical_features", (self.dim("batch_size"), number), Uniform(0, max(high, 1)))

    def describe_static_real_features(self) -> TensorSpec:
        """Numbers that describe a series [batch, features], normal."""
        number = self.config.integer("num_static_real_features")
        return self.floats("static_real_features", (self.dim("batch_size"), number), Normal())

    def describe_target_values(self) -> TensorSpec:
        """What a whole series is mapped to: a class [batch], or numbers [batch, targets]."""
        number = self.config.integer("num_targets", 1)
        if self.context.task == "time-series-classification":
            return self.ints("target_values", (self.dim("batch_size"),), Uniform(0, number))
        return self.floats("target_values", (self.dim("batch_size"), number), Normal())
