import dummyio
from dummyio.testing.backend_conformance import BackendConformance
from dummyio_numpy import DTYPE_MAPPER, from_native, to_native


class TestNumpy(BackendConformance):
    framework = "np"
    copies = False


def test_dtypes_go_there_and_back():
    assert all(from_native(to_native(dtype)) is dtype for dtype in DTYPE_MAPPER)


def test_a_function_runs_with_trust_too():
    """A reference is opened with the trust that was given for the artifact."""
    spec = dummyio.InputSpec({"x": dummyio.TensorSpec("x", (2, 3))})
    for trust in (False, True):
        made = dummyio.open_runner(lambda x: {"total": x.sum(axis=1)}, spec, trust=trust)(spec.feeds())
        assert made["total"].shape == (2,)
