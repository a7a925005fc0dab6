from dummyio.testing.backend_conformance import BackendConformance
from dummyio_numpy import DTYPE_MAPPER, from_native, to_native


class TestNumpy(BackendConformance):
    framework = "np"
    copies = False


def test_dtypes_go_there_and_back():
    assert all(from_native(to_native(dtype)) is dtype for dtype in DTYPE_MAPPER)
