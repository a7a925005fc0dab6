"""The JSON form: canonical, checked against its own schema, and safe to read whoever wrote it."""

import hashlib
import json
import subprocess
import sys
import time

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dummyio.errors import DummyioError, OutputError, SourceError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.spec import json_format as document
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Choices, Constant, PaddingMask, Positions, Rule, Strings, TokenIds, Uniform

BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 16, max=512)


def small(**changes):
    inputs = {
        "ids": TensorSpec("", (BATCH, LENGTH + 1), "int64", TokenIds(99, mask="mask")),
        "mask": TensorSpec("", (BATCH, LENGTH + 1), "int64", PaddingMask("left")),
    }
    return InputSpec(inputs, **{"task": "fill-mask", "provenance": {"source": "a test"}, **changes})


SMALL = small()
TEXT = (
    '{"dims":{"batch_size":{"size":2},"sequence_length":{"max":512,"size":16}},"dummyio":1,'
    '"inputs":['
    '{"dtype":"int64","kind":"tensor","name":"ids","shape":["batch_size","sequence_length + 1"],'
    '"values":{"high":99,"mask":"mask","rule":"token_ids"}},'
    '{"dtype":"int64","kind":"tensor","name":"mask","shape":["batch_size","sequence_length + 1"],'
    '"values":{"rule":"padding_mask","side":"left"}}],'
    '"provenance":{"source":"a test"},"task":"fill-mask"}'
)


# What is written.


def test_the_form_is_canonical():
    assert SMALL.to_json() == TEXT.encode()
    assert InputSpec.from_json(TEXT) == InputSpec.from_json(TEXT.encode()) == SMALL


def test_reading_and_writing_changes_nothing(zoo):
    read = InputSpec.from_json(zoo.to_json())
    assert read == zoo
    assert read.to_json() == zoo.to_json()
    assert read.provenance == zoo.provenance
    assert read.outputs == zoo.outputs
    assert dict(read.dims) == dict(zoo.dims)
    assert [(path, repr(leaf)) for path, leaf in read.leaves] == [(path, repr(leaf)) for path, leaf in zoo.leaves]


@pytest.mark.parametrize(
    ("dtype", "rule"),
    [
        ("uint64", Uniform(0, 2**64)),
        ("int64", Uniform(-(2**63), 2**63)),
        ("float64", Uniform(-1.7976931348623157e308, 1.7976931348623157e308)),
        ("float64", Uniform(0, 5e-324)),
        ("float32", Uniform(0.1, 0.30000000000000004)),
        ("float32", Constant(-3.4028234663852886e38)),
        ("float64", Constant(2**70)),
        ("float64", Constant(10**300)),
        ("float64", Constant(-0.0)),
        ("bool", Constant(True)),
        ("string", Choices(("ä\n\u2028😀", "", '"\\', "\x00"))),
        ("string", Strings(words=("a",) * 3)),
    ],
    ids=repr,
)
def test_numbers_and_texts_of_all_kinds_read_back(dtype, rule):
    spec = InputSpec({"ä.\n": TensorSpec("", (1,), dtype, rule)})
    read = InputSpec.from_json(spec.to_json())
    assert read == spec
    assert repr(read["ä.\n"].values) == repr(spec["ä.\n"].values)
    assert read.to_json() == spec.to_json()
    assert read.feeds()["ä.\n"].tolist() == spec.feeds()["ä.\n"].tolist()


# The hash.


def test_the_hash_is_of_the_form_without_provenance():
    assert SMALL.sha256 == hashlib.sha256(TEXT.replace('"provenance":{"source":"a test"},', "").encode()).hexdigest()
    assert SMALL.sha256 == "2342f8c67f82c35cbd1b446be21d8cc24dc76b7decc320729588da7a8c7ab47e"
    assert SMALL.sha256 == small(provenance={"other": "place"}).sha256 == small(provenance=None).sha256


def test_the_hash_does_not_hang_on_the_order_of_keys():
    shuffled = json.dumps(dict(reversed(json.loads(TEXT).items())), indent=3)
    assert InputSpec.from_json(shuffled).sha256 == SMALL.sha256
    defaults = json.loads(TEXT)
    defaults["dims"]["batch_size"] |= {"min": 1, "max": None, "multiple_of": 1, "choices": None}
    defaults["inputs"][1]["values"] |= {"policy": "ragged", "least": 1}
    defaults["outputs"] = []
    assert InputSpec.from_json(json.dumps(defaults)).to_json() == SMALL.to_json()


@pytest.mark.parametrize("changes", [{"task": None}, {"task": "other"}, {"outputs": (OutputSpec("x"),)}], ids=str)
def test_the_hash_hangs_on_what_a_spec_is(changes):
    assert small(**changes).sha256 != SMALL.sha256


def test_sizes_that_are_alike_are_written_alike():
    other = json.loads(TEXT)
    other["inputs"][0]["shape"][1] = "1+ (sequence_length)"
    other["dims"]["unused"] = {"size": 3}
    assert InputSpec.from_json(json.dumps(other)).sha256 == SMALL.sha256


# The schema.


@pytest.fixture(scope="module")
def validator():
    schema = document.make_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_schema_allows_what_is_written(zoo, validator):
    validator.validate(json.loads(zoo.to_json()))
    validator.validate(json.loads(TEXT))
    validator.validate(json.loads(InputSpec({}).to_json()))
    json.dumps(document.make_json_schema())


# What is read. A change of the small document → what the error says, and whether the schema sees it too.


def at(*place, value):
    """The small document with another value at some place; None removes what is there."""
    changed = json.loads(TEXT)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    if value is None:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return changed


IDS = ("inputs", 0)
RULE = ("inputs", 0, "values")
NEST = {"kind": "nest", "name": "n", "container": "list", "items": []}
SEEN = [
    ([], "Expected `object`, got `array`"),
    ({}, "missing required field `inputs`"),
    (at("dummyio", value=None), "missing required field `dummyio`"),
    (at("dummyio", value=2), "Invalid enum value 2 - at `$.dummyio`"),
    (at("dummyio", value="1"), "- at `$.dummyio`"),
    (at("inputs", value={}), "Expected `array`, got `object` - at `$.inputs`"),
    (at("more", value=1), "Object contains unknown field `more`"),
    (at(*IDS, "more", value=1), "unknown field `more` - at `$.inputs[0]`"),
    (at(*RULE, "more", value=1), "unknown field `more` - at `$.inputs[0].values`"),
    (at("dims", "batch_size", "more", value=1), "unknown field `more` - at `$.dims[...]`"),
    (at(*IDS, "kind", value=None), "missing required field `kind` - at `$.inputs[0]`"),
    (at(*IDS, "kind", value="tree"), "Invalid value 'tree' - at `$.inputs[0].kind`"),
    (at(*IDS, "name", value=None), "missing required field `name` - at `$.inputs[0]`"),
    (at(*IDS, "name", value=3), "Expected `str`, got `int` - at `$.inputs[0].name`"),
    (at(*IDS, "dtype", value=64), "Expected `str`, got `int` - at `$.inputs[0].dtype`"),
    (at(*IDS, "shape", value="batch_size"), "Expected `array`, got `str` - at `$.inputs[0].shape`"),
    (at(*IDS, "shape", 0, value=1.5), "got `float` - at `$.inputs[0].shape[0]`"),
    (at(*IDS, "shape", 0, value=True), "got `bool` - at `$.inputs[0].shape[0]`"),
    (at(*IDS, "values", value=None), "missing required field `values` - at `$.inputs[0]`"),
    (at(*RULE, "rule", value=None), "missing required field `rule` - at `$.inputs[0].values`"),
    (at(*RULE, "rule", value="magic"), "Invalid value 'magic' - at `$.inputs[0].values.rule`"),
    (at(*RULE, "high", value=None), "missing required field `high` - at `$.inputs[0].values`"),
    (at(*RULE, "high", value=9.5), "Expected `int`, got `float` - at `$.inputs[0].values.high`"),
    (at(*RULE, "high", value="9"), "Expected `int`, got `str` - at `$.inputs[0].values.high`"),
    (at(*RULE, "reserved", value=[1, "a"]), "Expected `int`, got `str` - at `$.inputs[0].values.reserved[1]`"),
    (at("inputs", 1, "values", "side", value="up"), "Invalid enum value 'up' - at `$.inputs[1].values.side`"),
    (at("dims", "batch_size", value=2), "Expected `object`, got `int` - at `$.dims[...]`"),
    (at("dims", "batch_size", "size", value="2"), "Expected `int`, got `str` - at `$.dims[...].size`"),
    (at("task", value=3), "Expected `str | null`, got `int` - at `$.task`"),
    (at("provenance", "source", value=3), "Expected `str`, got `int` - at `$.provenance[...]`"),
    (at("outputs", value=[{}]), "missing required field `name` - at `$.outputs[0]`"),
    (at(*IDS, value={**NEST, "container": "set"}), "Invalid enum value 'set' - at `$.inputs[0].container`"),
]
NOT_SEEN = [
    (at(*IDS, "name", value=""), "a name is a string with at least one character. - at `$.inputs[0]`"),
    (at(*IDS, "name", value="mask"), "two inputs are named 'mask' - at `$.inputs[1]`"),
    (at(*IDS, "dtype", value="int46"), "dtype='int46' is unknown. Did you mean 'int4'"),
    (at(*IDS, "dtype", value="float32"), "fills int, uint tensors; this one is float32. - at `$.inputs[0]`"),
    (at(*IDS, "shape", 0, value=1e308), "got `float` - at `$.inputs[0].shape[0]`"),
    (at(*IDS, "shape", 0, value=-1), "-1 is not a size: use an int from 0 to 2^63 - 1, a Dim or an expression"),
    (at(*IDS, "shape", 0, value=2**63), "is not a size"),
    (at(*IDS, "shape", 0, value=10**300), "is not a size"),
    (
        at(*IDS, "shape", 0, value="batch"),
        "no dim is named 'batch'. Did you mean 'batch_size'? - at `$.inputs[0].shape[0]`",
    ),
    (
        at(*IDS, "shape", 0, value="batch_size +"),
        "write names, whole numbers, + - * // and parentheses. - at `$.inputs[0].shape[0]`",
    ),
    (at(*IDS, "shape", 0, value="__import__('os')"), "parentheses only. - at `$.inputs[0].shape[0]`"),
    (at(*IDS, "shape", 0, value="(" * 9000), "- at `$.inputs[0].shape[0]`"),
    (at(*IDS, "shape", 0, value="batch_size // 0"), "cannot be divided by zero. - at `$.inputs[0].shape[0]`"),
    (at(*IDS, "shape", value=["batch_size"]), "all axes but the last must be equal. - at `$`"),
    (at(*IDS, "shape", value=[1] * 33), "33 axes: a tensor has at most 32. - at `$.inputs[0]`"),
    (at(*RULE, "high", value=0), "a vocabulary of 0 holds no id; high must exceed low. - at `$.inputs[0]`"),
    (at(*RULE, "high", value=10**300), "- at `$.inputs[0]`"),
    (
        at(*RULE, "mask", value="nothing"),
        "follows mask='nothing', but no input has this path. Known: ids, mask. - at `$`",
    ),
    (at("dims", "batch_size", "size", value=0), "batch_size=0: this size must be at least 1. - at `$.dims.batch_size`"),
    (at("dims", "batch_size", "size", value=10**300), "- at `$.dims.batch_size`"),
    (at("dims", "batch_size", "max", value=1), "- at `$.dims.batch_size`"),
    (
        at("dims", "a b", value={"size": 2}),
        "a name must be a Python identifier, such as 'batch_size'. - at `$.dims.a b`",
    ),
    (at("dims", "batch_size", value=None), "no dim is named 'batch_size'"),
    (
        at("outputs", value=[{"name": "x", "dtype": "float"}, {"name": "y", "shape": ["z"]}]),
        "- at `$.outputs[1].shape[0]`",
    ),
    (at("outputs", value=[{"name": "x", "dtype": "flaot32"}]), "'flaot32' is unknown. Did you mean 'float32'"),
    (at("outputs", value=[{"name": ""}]), "- at `$.outputs[0]`"),
    (
        at(
            *IDS,
            value={
                **NEST,
                "items": [
                    {"kind": "tensor", "name": "0", "shape": ["z"], "dtype": "int8", "values": {"rule": "uniform"}}
                ],
            },
        ),
        "no dim is named 'z'. Known: batch_size, sequence_length. - at `$.inputs[0].items[0].shape[0]`",
    ),
    (
        at(*IDS, value={**NEST, "items": [NEST, NEST]}),
        "a list has two items of one name: ['n', 'n']. - at `$.inputs[0]`",
    ),
]


@pytest.mark.parametrize(("broken", "message"), SEEN + NOT_SEEN, ids=[str(i) for i in range(len(SEEN + NOT_SEEN))])
def test_an_invalid_document_is_refused_with_its_place(broken, message):
    with pytest.raises(SpecError) as caught:
        InputSpec.from_json(json.dumps(broken))
    assert str(caught.value).startswith("not a valid spec: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(("broken", "message"), SEEN, ids=[message for _, message in SEEN])
def test_the_schema_refuses_what_is_of_another_form(broken, message, validator):
    assert not validator.is_valid(broken)


# Hostile documents.


def nested(depth, *, container='{"kind":"nest","name":"n","container":"list","items":[', inner=""):
    return '{"dummyio":1,"inputs":[' + container * depth + inner + "]}" * depth + "]}"


HOSTILE = {
    "nothing": "",
    "blank": "  \n",
    "null": "null",
    "brackets": "[" * 100_000,
    "brackets that close": "[" * 100_000 + "]" * 100_000,
    "braces": '{"a":' * 100_000,
    "nests": nested(100_000),
    "nests that the parser takes": nested(400),
    "a nest too many": nested(33),
    "values in values": TEXT.replace('"rule":"token_ids"', '"rule":"token_ids","x":' + "[" * 100_000),
    "huge int": TEXT.replace(":99", ":" + "9" * 100_000),
    "long int": TEXT.replace(":99", ":" + "9" * 4000),
    "huge float": TEXT.replace(":99", ":1e400"),
    "huge exponent": TEXT.replace(":99", ":1e" + "9" * 1000),
    "not a number": TEXT.replace(":99", ":NaN"),
    "infinity": TEXT.replace(":99", ":Infinity"),
    "minus infinity": TEXT.replace(":99", ":-Infinity"),
    "plus": TEXT.replace(":99", ":+99"),
    "leading zero": TEXT.replace(":99", ":099"),
    "comment": TEXT.replace(":99", ":99/* */"),
    "trailing comma": TEXT.replace(":99", ":99,"),
    "single quotes": TEXT.replace('"', "'"),
    "two documents": TEXT + TEXT,
    "half of a pair": TEXT.replace("fill-mask", "\\ud800"),
    "half of a pair as text": TEXT.replace("fill-mask", "\ud800"),
    "not UTF-8": TEXT.encode().replace(b"fill-mask", b"\xff\xfe"),
    "UTF-16": TEXT.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "control character": TEXT.replace("fill-mask", "a\x00b"),
    "binary": bytes(range(256)) * 10,
    "long dtype": TEXT.replace('"int64"', '"' + "int64" * 100_000 + '"', 1),
    "long expression": TEXT.replace("sequence_length + 1", "+".join(["sequence_length"] * 100_000)),
    "long product": TEXT.replace("sequence_length + 1", "*".join(["(sequence_length+batch_size)"] * 300)),
    "power": TEXT.replace("sequence_length + 1", "9**9**9"),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_is_refused_and_fast(text):
    start = time.process_time()
    with pytest.raises(SpecError):
        InputSpec.from_json(text)
    assert time.process_time() - start < 3


def test_a_key_that_stands_twice_counts_once():
    twice = TEXT.replace('"high":99', '"high":50,"high":99')
    assert InputSpec.from_json(twice) == SMALL


@pytest.mark.parametrize("length", range(len(TEXT)))
def test_a_document_cut_off_anywhere_is_refused(length):
    with pytest.raises(SpecError, match="not a valid spec"):
        InputSpec.from_json(TEXT[:length])


def test_more_than_64_mebibytes_are_not_read(tmp_path):
    large = b" " * ((64 << 20) + 1)
    with pytest.raises(SpecError, match="a spec of 67108865 bytes exceeds the limit of 67108864 bytes"):
        InputSpec.from_json(large)
    file = tmp_path / "large.json"
    file.write_bytes(large + b" ")
    with pytest.raises(SpecError, match=r"large.json: a spec of 67108865 bytes"):
        InputSpec.load(file)
    padded = TEXT.encode() + b" " * ((64 << 20) - len(TEXT))
    assert InputSpec.from_json(padded) == SMALL


def test_a_document_of_many_megabytes_is_read_in_no_time():
    line = '{"kind":"tensor","name":"x%d","shape":[1],"dtype":"int64","values":{"rule":"uniform"}}'
    text = '{"dummyio":1,"inputs":[' + ",".join(line % i for i in range(20_000)) + "]}"
    start = time.process_time()
    assert len(InputSpec.from_json(text)) == 20_000
    with pytest.raises(SpecError):
        InputSpec.from_json(text.replace('"x19999"', '"x0"'))
    assert time.process_time() - start < 6


def test_deep_documents_are_refused_from_deep_inside_a_program():
    code = """if True:
        import sys
        from dummyio.errors import SpecError
        from dummyio.input_spec import InputSpec
        def call(depth):
            if depth:
                return call(depth - 1)
            try:
                InputSpec.from_json(sys.argv[1])
            except SpecError:
                print("refused")
        call(sys.getrecursionlimit() - 200)
    """
    done = subprocess.run([sys.executable, "-c", code, nested(300)], capture_output=True, text=True, check=False)
    assert done.stdout == "refused\n", done.stderr


# Any change of a document loads or is refused, and what loads can be worked with.

plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
words = st.sampled_from(
    [
        *(str(dtype) for dtype in DType),
        *(rule.__struct_config__.tag for rule in Rule.__args__),
        *sorted({field for rule in Rule.__args__ for field in rule.__struct_fields__}),
        *("batch_size", "sequence_length", "sequence_length - 20", "batch_size // 3", "ids", "mask", "left_mask"),
        *("cache", "tuple", "shortest", "xywh", "left"),
    ]
)
anything = st.recursive(
    plain | words, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=5
)


def places(value, path=()):
    """Every place in a document."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


@st.composite
def mutations(draw, base):
    changed = json.loads(base)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(changed))[1:]))
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        how = draw(st.sampled_from(["set", "remove", "add", "near"]))
        if how == "remove" or (how == "add" and not isinstance(inner, dict)):
            inner.pop(path[-1])
        elif how == "near" and isinstance(inner[path[-1]], int):
            inner[path[-1]] += draw(st.integers(-3, 3))
        else:
            inner[draw(words) if how == "add" else path[-1]] = draw(anything)
        if len(list(places(changed))) < 2:
            break
    return json.dumps(changed)


def assert_loads_or_is_refused(text, monkeypatch):
    try:
        spec = InputSpec.from_json(text)
    except SpecError:
        return
    again = InputSpec.from_json(spec.to_json())
    assert again == spec
    assert again.to_json() == spec.to_json()
    assert hash(again) == hash(spec)
    assert str(spec)
    spec.dynamic_shapes()
    with monkeypatch.context() as patch:
        patch.setenv("DUMMYIO_MEMORY_BUDGET", "1000000")
        for made in (spec.feeds, spec.probes):
            try:
                made()
            except DummyioError:  # sizes that do not fit, too large
                continue


@pytest.mark.slow
@given(data=st.data())
def test_a_changed_document_loads_or_is_refused(zoo, data):
    base = data.draw(st.sampled_from([TEXT.encode(), zoo.to_json()]))
    with pytest.MonkeyPatch.context() as patch:
        assert_loads_or_is_refused(data.draw(mutations(base)), patch)


@settings(max_examples=300)
@given(data=st.data())
def test_changed_bytes_load_or_are_refused(data):
    text = bytearray(TEXT.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=2) | st.sampled_from([b"0", b"9", b"-", b".", b'"', b"e"])
        )
    with pytest.MonkeyPatch.context() as patch:
        assert_loads_or_is_refused(bytes(text), patch)


# Files.


def test_a_file_reads_back(tmp_path, zoo):
    for spec in (SMALL, zoo, InputSpec({})):
        spec.save(tmp_path / "spec.json")
        assert InputSpec.load(tmp_path / "spec.json") == InputSpec.load(str(tmp_path / "spec.json")) == spec
    SMALL.save(tmp_path / "spec.json")
    text = (tmp_path / "spec.json").read_text()
    assert text.endswith("}\n")
    assert '\n  "task": "fill-mask"\n' in text, "for people to read"
    assert msgspec.json.decode(text) == json.loads(TEXT)


def test_a_file_that_is_not_there_or_not_valid_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nothing.json: cannot be read \(No such file"):
        InputSpec.load(tmp_path / "nothing.json")
    with pytest.raises(SourceError, match="cannot be read"):
        InputSpec.load(tmp_path)
    (tmp_path / "broken.json").write_text(TEXT[:50])
    with pytest.raises(SpecError, match=r"broken.json: not a valid spec: "):
        InputSpec.load(tmp_path / "broken.json")
    with pytest.raises(OutputError):
        SMALL.save(tmp_path / "no" / "folder.json")


def test_a_start_that_no_shape_has_is_refused():
    with pytest.raises(SpecError, match="no dim is named 'past'"):
        InputSpec({"x": TensorSpec("", (BATCH,), "int64", Positions(start="past"))})
