"""A TFLite file is described, generated for, run, proved and validated where TensorFlow is not imported, and not installed."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("ai_edge_litert")

from tflite_files import LENGTH, ROWS, WIDTH, make_lookup

BLOCKS = {
    "not imported": "",
    "marked as absent": "sys.modules['tensorflow'] = None\n",
    "not found": """
class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('tensorflow', 'keras', 'tf_keras'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)

sys.meta_path.insert(0, Nowhere())
""",
}
"""How a process is without TensorFlow → the code that begins it."""
END = "\nassert sys.modules.get('tensorflow') is None, 'TensorFlow was imported'"
COMMAND = """
from dummyio.__main__ import main
sys.argv = ["dummyio", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
COMMANDS = {
    "describe": ("describe", "model.tflite", "--json"),
    "generate": ("generate", "model.tflite", "-o", "inputs.npz"),
    "validate": ("validate", "model.tflite", "--reference", "model.tflite"),
    "backends": ("backends", "--json"),
}


def run(folder, begin, code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{begin}{code}{END}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("files")
    (found / "model.tflite").write_bytes(make_lookup())
    (found / "several.tflite").write_bytes(make_lookup(("first", "second")))
    return found


@pytest.fixture(params=BLOCKS)
def begin(request):
    return BLOCKS[request.param]


def test_a_description_has_the_table_and_its_proof(folder, begin):
    code = """
import dummyio, json
spec = dummyio.describe("model.tflite")
print(json.dumps([str(spec["input_ids"]), spec.proof.level, list(spec.provenance), [o.name for o in spec.outputs]]))
"""
    text, level, notes, outputs = json.loads(run(folder, begin, code))
    assert f"TokenIds(high={ROWS}" in text
    assert level == "values"
    assert {"source", "signature"} <= set(notes)
    assert outputs == ["found"]


def test_a_sample_is_made_run_and_validated(folder, begin):
    code = """
import dummyio, json
sample = dummyio.generate("model.tflite", batch_size=3)
runner = dummyio.open_runner("model.tflite", dummyio.describe("model.tflite"))
report = dummyio.validate("model.tflite", reference="model.tflite")
print(json.dumps([sample["input_ids"].shape, runner(sample)["found"].shape, runner.engine, report.ok]))
"""
    sample, result, engine, ok = json.loads(run(folder, begin, code))
    assert (sample, result, ok) == ([3, LENGTH], [3, LENGTH, WIDTH], True)
    assert engine.startswith("ai-edge-litert ")


def test_one_of_several_signatures_is_chosen(folder, begin):
    code = """
import dummyio
from dummyio.errors import OptionError, SourceError
assert dummyio.describe("several.tflite", signature="second").provenance["signature"] == "second"
for error, options in ((SourceError, {}), (OptionError, {"signature": "third"})):
    try:
        dummyio.describe("several.tflite", **options)
    except error as caught:
        assert "second" in str(caught), caught
    else:
        raise AssertionError(options)
"""
    run(folder, begin, code)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(folder, tmp_path, begin, command):
    (tmp_path / "model.tflite").write_bytes((folder / "model.tflite").read_bytes())
    text = run(tmp_path, begin if command != "backends" or begin else BLOCKS["not found"], COMMAND, *COMMANDS[command])
    if command == "backends":
        rows = {row["name"]: row for row in json.loads(text)}
        assert rows["np"]["installed"]
        assert not rows["tf"]["installed"]
    if command == "generate":
        assert (tmp_path / "inputs.npz").exists()


def test_a_file_that_tensorflow_wrote(tmp_path, begin):
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, name="image")])
    def mean(image):
        return {"mean": tf.reduce_mean(image, [1, 2])}

    concrete = mean.get_concrete_function()
    blob = tf.lite.TFLiteConverter.from_concrete_functions([concrete], mean).convert()
    (tmp_path / "model.tflite").write_bytes(blob)
    code = """
import dummyio
spec = dummyio.describe("model.tflite")
assert not spec.proof.ineffective, spec.proof
(result,) = dummyio.open_runner("model.tflite", spec)(spec.feeds(batch_size=2)).values()
assert result.shape == (2, 3)
assert dummyio.validate("model.tflite", reference="model.tflite").ok
"""
    run(tmp_path, begin, code)


def test_operators_of_tensorflow_need_trust_where_it_cannot_tell(tmp_path):
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(make_lookup(), 0))
    (code,) = model.operatorCodes
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "FlexErfinv"
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "model.tflite").write_bytes(bytes(builder.Output()))
    code = """
import dummyio
from dummyio.errors import TrustError
assert "needs operators of TensorFlow (FlexErfinv)" in str(dummyio.describe("model.tflite").proof)
try:
    dummyio.open_runner("model.tflite")
except TrustError as error:
    assert "FlexErfinv" in str(error)
else:
    raise AssertionError
"""
    run(tmp_path, BLOCKS["not found"], code)
