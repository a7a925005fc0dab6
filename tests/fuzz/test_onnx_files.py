"""Damaged and hostile ONNX files: describing and opening them raise errors of dummyio only, soon, and within their memory."""

import struct
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper
from onnx_models import MODELS

import dummyio
from dummyio.feeds.save_load import load_feeds

WHOLE = 4_000
TEXTS = (
    *(
        "",
        "x",
        "\0",
        "a\0b",
        "../../etc/passwd",
        "/etc/passwd",
        "C:\\x",
        "weights",
        "location",
        "é" * 300,
        "\u202egnp.exe",
        "\x1b[2J",
    ),
    *(
        "a" * 100_000,
        "N + N",
        "(" * 500,
        "*".join(["N"] * 400),
        "N//0",
        "-1",
        "9" * 400,
        "batch",
        "f",
        "outer",
        "Loop",
        "If",
    ),
    *(
        "ai.onnx.ml",
        "com.microsoft",
        "EPContext",
        "Reshape",
        "Constant",
        "*/_ORT_MEM_ADDR_/*",
        "/dev/zero",
        ".",
        "past_key_values.0.key",
    ),
)
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    63,
    64,
    1 << 15,
    (1 << 31) - 1,
    -(1 << 31),
    1 << 31,
    (1 << 32) - 1,
    1 << 40,
    (1 << 62),
    (1 << 63) - 1,
    -(1 << 63),
)
FLOATS = (0.0, -1.0, 1e38, -1e38, float("nan"), float("inf"), 1e-45)


def find_messages(message):
    """Return a message and all messages in it."""
    found, waiting = [], [message]
    while waiting:
        found.append(waiting.pop())
        for field, value in found[-1].ListFields():
            if field.message_type is not None:
                waiting += value if field.is_repeated else [value]
    return found


def draw_value(random, field):
    """Return a value for a field that is not a message."""
    if field.enum_type is not None:
        return random.choice([value.number for value in field.enum_type.values])
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        text = random.choice(TEXTS)
        return text.encode() if field.type == field.TYPE_BYTES else text
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return random.choice(FLOATS)
    number = random.choice(NUMBERS)
    if kind == field.CPPTYPE_INT32:
        return (number + (1 << 31)) % (1 << 32) - (1 << 31)
    return number % (1 << 64) if kind == field.CPPTYPE_UINT64 else number


def change_message(random, message):  # noqa: C901, PLR0912 - one branch for each action
    """Change one field of one message in a model: as a program would that writes valid messages and wrong models."""
    messages = find_messages(message)
    inside = random.choice(messages)
    present = [field for field, _ in inside.ListFields()]
    field = random.choice(present if present and random.random() < 0.7 else inside.DESCRIPTOR.fields)
    alike = [other for other in messages if other.DESCRIPTOR is field.message_type] if field.message_type else []
    if not field.is_repeated:
        if random.random() < 0.2:
            inside.ClearField(field.name)
        elif field.message_type is None:
            setattr(inside, field.name, draw_value(random, field))
        elif alike:
            copy = type(alike[0]).FromString(random.choice(alike).SerializePartialToString())
            getattr(inside, field.name).CopyFrom(copy)
        else:
            getattr(inside, field.name).SetInParent()
        return
    values = getattr(inside, field.name)
    action = random.choice(["add", "add", "remove", "replace", "double", "reverse", "many"])
    if action == "remove" and values:
        del values[random.randrange(len(values))]
    elif action == "reverse":
        copies = [*values][::-1]
        del values[:]
        values.extend(copies)
    elif action == "double":
        values.extend([*values])
    elif field.message_type is None:
        if action == "replace" and values:
            values[random.randrange(len(values))] = draw_value(random, field)
        else:
            values.extend([draw_value(random, field)] * (1 if action == "add" else random.choice([3, 70, 3000])))
    elif alike:
        copy = type(alike[0]).FromString(random.choice(alike).SerializePartialToString())
        if action == "replace" and values:
            values[random.randrange(len(values))].CopyFrom(copy)
        else:
            values.extend([copy] * (1 if action == "add" else random.choice([3, 70])))
    else:
        values.add()


def swap_texts(random, message):
    """Give one text of a model the value of another one: names in a circle, operators of other kinds, calls of functions."""
    places = []
    for inside in find_messages(message):
        for field, value in inside.ListFields():
            if field.type == field.TYPE_STRING:
                count = len(value) if field.is_repeated else 1
                places += [(inside, field, place if field.is_repeated else None) for place in range(count)]

    def read(place):
        value = getattr(place[0], place[1].name)
        return value if place[2] is None else value[place[2]]

    if len(places) < 2:
        return
    first, second = random.sample(places, 2)
    value = read(second)
    if first[2] is None:
        setattr(first[0], first[1].name, value)
    else:
        getattr(first[0], first[1].name)[first[2]] = value


def change_bytes(random, data, others):  # noqa: C901 - one branch for each action
    """Change bytes of a file."""
    data = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 5, 30])):
        place = random.randrange(len(data) + 1)
        length = random.choice([1, 2, 8, 64, 1000])
        match random.choice(["flip", "set", "cut", "remove", "double", "splice", "number", "noise", "text"]):
            case "flip" if place < len(data):
                data[place] ^= 1 << random.randrange(8)
            case "set" if place < len(data):
                data[place] = random.choice([0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x12, 0x08, 0x3B, 0x3C])
            case "cut" if random.random() < 0.3:
                del data[place:]
            case "remove":
                del data[place : place + length]
            case "double":
                data[place:place] = data[place : place + length] * random.choice([1, 2, 50])
            case "splice":
                other = random.choice(others)
                start = random.randrange(len(other))
                data[place : place + random.choice([0, length])] = other[start : start + length]
            case "number":
                data[place:place] = random.choice(
                    [b"\xff" * 9 + b"\x01", b"\x80" * 9 + b"\x01", b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\x07"]
                )
            case "noise":
                data[place : place + length] = random.randbytes(length)
            case "text" if place < len(data):
                data[place : place + 2] = b"\xff\xfe"  # not UTF-8
            case _:
                pass
    return bytes(data)


def change_fields(random, data):
    """Change a field of the outer messages in its encoding: its number, its type, its place; or repeat it."""
    fields = split_fields(data)
    if not fields:
        return data
    place = random.randrange(len(fields))
    number, kind, value = fields[place]
    match random.choice(["number", "kind", "inside", "inside", "inside", "repeat", "move", "merge"]):
        case "number":
            fields[place] = (random.choice([1, 2, 7, 8, 14, 20, 25, 26, 100, 536_870_911]), kind, value)
        case "kind":
            fields[place] = (number, random.choice([0, 1, 2, 3, 4, 5, 6, 7]), value)
        case "inside" if kind == 2:
            fields[place] = (number, kind, change_fields(random, value))
        case "repeat":
            fields += [fields[place]] * random.choice([1, 2, 300])
        case "move":
            fields.append(fields.pop(place))
        case _:
            fields[place] = (number, kind, value + random.choice(fields)[2])
    return b"".join(join_field(*field) for field in fields)


def split_fields(data):
    """Return number, wire type and value of the fields of a message, up to the first that is not whole."""
    fields, place = [], 0
    try:
        while place < len(data):
            tag, place = read_number(data, place)
            start = place
            if tag & 7 == 2:
                length, start = read_number(data, place)
                place = start + length
            elif tag & 7 == 0:
                _, place = read_number(data, place)
            else:
                place += {1: 8, 5: 4}[tag & 7]
            if place > len(data):
                break
            fields.append((tag >> 3, tag & 7, data[start:place]))
    except LookupError:
        pass
    return fields


def read_number(data, place):
    number = shift = 0
    while True:
        byte = data[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128 or shift > 70:
            return number, place


def write_number(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def join_field(number, kind, value):
    return write_number(number << 3 | kind) + (write_number(len(value)) if kind == 2 else b"") + value


def change_weights(random, data):
    """Write numbers into a file whose weights are long enough to be left out."""
    place = random.randrange(len(data) + 1)
    return (
        data[:place]
        + struct.pack("<4i", *random.choices(range(-5, 99), k=4)) * random.choice([1, 100, 30_000])
        + data[place:]
    )


def nest(model, depth):
    """Put the graph of a model into a branch of a branch ..."""
    for _ in range(depth):
        outer = onnx.ModelProto()
        outer.CopyFrom(model)
        del outer.graph.node[:]
        node = outer.graph.node.add(op_type="If", input=["x"], output=["y"])
        node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH).g.CopyFrom(model.graph)
        model = outer
    return model


def make_files(random, count):
    """Yield labels and damaged files."""
    models = [make() for make in MODELS]
    whole = [model.SerializeToString() for model in models]
    for number in range(count):
        place = random.randrange(len(models))
        model = type(models[place]).FromString(whole[place])
        kind = random.choice(["bytes", "fields", "messages", "messages", "texts", "weights", "both", "nest"])
        data = whole[place]
        if kind == "bytes":
            data = change_bytes(random, data, whole)
        elif kind == "weights":
            data = change_weights(random, data)
        elif kind in ("fields", "both"):
            for _ in range(random.choice([1, 2, 4])):
                data = change_fields(random, data)
            if kind == "both":
                data = change_bytes(random, data, whole)
        else:
            for _ in range(random.choice([1, 1, 2, 5, 20])):
                (swap_texts if kind == "texts" else change_message)(random, model)
            if kind == "nest" and model.ByteSize() < 20_000:
                model = nest(model, random.choice([1, 5, 25]))
            data = model.SerializePartialToString()
            if len(data) > 1 << 26:
                data = data[: 1 << 20]
        yield f"{number} {MODELS[place].__name__} {kind}", data


@pytest.fixture
def path(tmp_path):
    """Return the path of the model; next to it are the weights of one of the models, and what nobody may read."""
    (tmp_path / "weights").write_bytes(bytes(32))
    return tmp_path / "model.onnx"


def write_files(path, random, count, action):
    """Write each file, and yield its label and the action on it."""
    for label, data in make_files(random, count):
        path.write_bytes(data)
        yield label, lambda: action(path)


def test_describing_damaged_files(attack, path):
    counts = attack.run(write_files(path, attack.random("onnx"), attack.count(WHOLE), dummyio.describe))
    assert counts["accepted"]
    assert counts["SourceError"]


@pytest.mark.filterwarnings("ignore")  # those of the evaluator's operators on extreme numbers
@pytest.mark.parametrize("engine", ["onnxruntime", "reference"])
def test_opening_damaged_files(attack, path, engine):
    """No file has ended the process so far: the runtimes raise errors themselves, in any number of types."""
    opened = write_files(
        path, attack.random(f"onnx {engine}"), attack.count(WHOLE // 4), partial(dummyio.open_runner, engine=engine)
    )
    counts = attack.run(opened)
    assert counts["accepted"]
    assert counts["SourceError"]


def _circle(random):
    """Return nodes that need each other's outputs, in any order."""
    count = random.choice([1, 2, 100, 5000])
    kinds = random.choices(["Add", "Concat", "Identity", "Gather", "Reshape", "Loop", "If", "Mul"], k=count)
    names = [f"v{k}" for k in range(count)]
    nodes = [
        helper.make_node(kind, [random.choice(names), random.choice([*names, "x", ""])], [name])
        for kind, name in zip(kinds, names, strict=True)
    ]
    return nodes, [], []


def _calls(random):
    """Return functions that call themselves, each other in a circle, or twice each, many times over."""
    count, times = random.choice(
        [(1, 1), (2, 1), (1, 40), (30, 2), (20, 3), (300, 1), (300, 2), (2000, 1), (2, 2000), (3, 100)]
    )
    last = random.choice(["Relu", "f0", f"f{count // 2}"])
    functions = []
    for k in range(count):
        names = ["x", *(f"z{j}" for j in range(times - 1)), "y"]
        called = f"f{k + 1}" if k + 1 < count else last
        domain = "" if called == "Relu" else "f"
        body = [helper.make_node(called, [a], [b], domain=domain) for a, b in pairwise(names)]
        functions.append(helper.make_function("f", f"f{k}", ["x"], ["y"], body, OPSETS))
    return [helper.make_node("f0", ["x"], ["y"], domain="f")], functions, []


def _expressions(random):
    """Return nodes whose sizes grow with each of them."""
    nodes = [helper.make_node("Shape", ["x"], ["v0"]), helper.make_node("Shape", ["x"], ["s"])]
    kinds = random.choices(["Add", "Mul", "Sub", "Div", "Concat"], k=random.choice([1, 3]))
    for k in range(random.choice([10, 300, 5000])):
        kind = random.choice(kinds)
        options = {"axis": 0} if kind == "Concat" else {}
        nodes.append(
            helper.make_node(kind, [f"v{k}", random.choice(["s", f"v{k}", f"v{k // 2}"])], [f"v{k + 1}"], **options)
        )
    return nodes, [], []


def _windows(random):
    """Return convolutions and pools with extreme windows, on the image or one after the other."""
    nodes = []
    for k in range(random.choice([1, 30, 2000])):
        options = {
            name: [random.choice([*NUMBERS, 1, 2, 3]) for _ in range(count)]
            for name, count in (("kernel_shape", 2), ("strides", 2), ("dilations", 2), ("pads", 4))
            if random.random() < 0.4
        }
        source = random.choice(["x", f"p{k - 1}"]) if k else "x"
        nodes.append(
            helper.make_node(random.choice(["MaxPool", "Conv", "LpPool"]), [source, "w"], [f"p{k}"], **options)
        )
    return nodes, [], [TensorProto(name="w", data_type=1, dims=random.choices(NUMBERS, k=4))]


def _sizes(random):
    """Return constants whose sizes do not fit their contents, and operations that use them."""
    weights = [
        TensorProto(
            name=f"w{k}",
            data_type=random.choice([0, 1, 6, 7, 7, 7, 8, 16, 22, 99, -1]),
            dims=random.choices(NUMBERS, k=random.choice([0, 1, 1, 2, 8, 70])),
            raw_data=bytes(random.choice([0, 1, 8, 16, 64, 2000])),
            int64_data=random.choices(NUMBERS, k=random.choice([0, 1, 5, 200])),
        )
        for k in range(20)
    ]
    names = [weight.name for weight in weights]
    kinds = [
        "Gather",
        "Slice",
        "Reshape",
        "Expand",
        "Range",
        "OneHot",
        "Pad",
        "Concat",
        "Add",
        "GatherND",
        "Split",
        "Where",
    ]
    nodes = [
        helper.make_node(
            random.choice(kinds),
            random.choices([*names, "x", "", f"v{k - 1}"], k=random.choice([0, 1, 3, 5])),
            [f"v{k}"],
        )
        for k in range(100)
    ]
    return nodes, [], weights


OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
HOSTILE = (_circle, _calls, _expressions, _windows, _sizes)


@pytest.mark.parametrize("make", HOSTILE)
def test_hostile_graphs(attack, path, make):
    """Valid messages of models that nothing can run, made to cost time or memory."""
    random = attack.random(make.__name__)

    def write_graphs():
        for number in range(attack.count(200)):
            shape = random.choice([["N", 3, "H", "W"], ["N"], [], [f"d{k}" for k in range(30)]])
            x = helper.make_tensor_value_info("x", random.choice([TensorProto.FLOAT, TensorProto.INT64]), shape)
            nodes, functions, weights = make(random)
            outputs = [helper.make_tensor_value_info(random.choice(["y", "v0", "p0"]), TensorProto.FLOAT, None)]
            graph = helper.make_graph(nodes, "graph", [x], outputs, weights)
            model = helper.make_model(graph, functions=functions, opset_imports=OPSETS, ir_version=9)
            path.write_bytes(model.SerializeToString())
            yield f"{number} described", lambda: dummyio.describe(path)
            yield f"{number} in memory", lambda model=model: dummyio.describe(model)
            if number % 4 == 0:
                yield f"{number} opened", lambda: dummyio.open_runner(path)

    attack.run(write_graphs())


def make_tensors(random, count):
    """Yield damaged files of ONNX test data."""
    whole = []
    for name, number in TensorProto.DataType.items():
        if name not in ("UNDEFINED", "STRING"):
            values = np.zeros((3, 2), helper.tensor_dtype_to_np_dtype(number))
            whole.append(numpy_helper.from_array(values, name).SerializeToString())
            whole.append(helper.make_tensor(name, number, [2], [1, 0]).SerializeToString())
    whole.append(helper.make_tensor("s", TensorProto.STRING, [2, 1], ["a", "δ"]).SerializeToString())
    for number in range(count):
        tensor = TensorProto.FromString(random.choice(whole))
        for _ in range(random.choice([0, 1, 1, 3])):
            change_message(random, tensor)
        data = tensor.SerializePartialToString() or b"\0"
        if random.random() < 0.5:
            data = random.choice([change_fields(random, data), change_bytes(random, data, whole)])
        yield number, data


def test_damaged_test_data(attack, tmp_path):
    def inputs():
        for label, data in make_tensors(attack.random("tensors"), attack.count(WHOLE)):
            (tmp_path / "input_0.pb").write_bytes(data)
            yield label, lambda: load_feeds(tmp_path)

    counts = attack.run(inputs())
    assert counts["accepted"]
    assert counts["SourceError"]
