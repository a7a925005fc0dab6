"""What a ``.pt2`` file may do: nothing but compute, unless it is trusted. Each attack tries to make a marker file."""

import contextlib
import io
import json
import os
import pickle
import shutil
import time
import zipfile

import pytest

torch = pytest.importorskip("torch")

import dummyio
from dummyio.errors import SourceError, TrustError
from dummyio_torch.program_file.expressions import NotArithmetic, check_guard, check_size_expression
from dummyio_torch.program_file.operators import is_plain_operator


class Summed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)
        self.register_buffer("scale", torch.ones(4))

    def forward(self, x, y):
        if x.shape[0] > 3:
            return self.layer(x).repeat(x.shape[0] // 2, 1)[: y.shape[0]] + y * self.scale
        return y


class Marks:
    """An object whose unpickling makes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "whole.pt2"
    auto = {0: torch.export.Dim.AUTO}
    program = torch.export.export(Summed().eval(), (torch.rand(6, 4), torch.rand(6, 4)), dynamic_shapes=(auto, auto))
    torch.export.save(program, path)
    return path


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


def read_members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def change(path, target, edits):
    """Write the file with members replaced; an edit of JSON is a function of the parsed value."""
    members = read_members(path)
    for name, edit in edits.items():
        full = f"whole/{name}"
        if callable(edit):
            value = json.loads(members[full])
            edit(value)
        members[full] = json.dumps(value).encode() if callable(edit) else edit
    return write_members(target, members)


def save_pickle(value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def open_file(path, **options):
    return dummyio.open_runner(path, **options)


PROGRAM, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"
CONSTANTS, SAMPLES = "data/constants/model_constants_config.json", "data/sample_inputs/model.pt"


def constant(path_name):
    meta = {"path_name": path_name, "is_param": False, "use_pickle": True, "tensor_meta": None}
    return lambda table: table["config"].update(own=meta)


PICKLES = {
    "sample inputs": lambda evil: {SAMPLES: save_pickle(((evil,), {}))},
    "sample inputs of the older form": lambda evil: {
        SAMPLES: save_pickle(((evil,), {}), _use_new_zipfile_serialization=False)
    },
    "sample inputs without torch": lambda evil: {SAMPLES: pickle.dumps(((evil,), {}))},
    "a weight": lambda evil: {
        WEIGHTS: lambda table: table["config"]["layer.bias"].update(use_pickle=True),
        "data/weights/weight_1": save_pickle(evil),
    },
    "all weights in one member": lambda evil: {"data/weights/model.pt": save_pickle({"scale": evil})},
    "all constants in one member": lambda evil: {"data/constants/model.pt": save_pickle({"own": evil})},
    "a tensor constant": lambda evil: {CONSTANTS: constant("tensor_0"), "data/constants/tensor_0": save_pickle(evil)},
    "an object of a class in Python": lambda evil: {
        CONSTANTS: constant("opaque_obj_0"),
        "data/constants/opaque_obj_0": pickle.dumps(evil),
    },
    "an object of a class in C++": lambda evil: {
        CONSTANTS: constant("custom_obj_0"),
        "data/constants/custom_obj_0": save_pickle(evil),
    },
}


@pytest.mark.parametrize("place", PICKLES)
def test_no_pickled_object_is_made(place, whole, tmp_path, marker):
    path = change(whole, tmp_path / "evil.pt2", PICKLES[place](Marks(marker)))
    spec = dummyio.InputSpec({name: dummyio.TensorSpec(name, (6, 4), "float32") for name in ("x", "y")})
    for attempt in (lambda: open_file(path), lambda: dummyio.validate(path, reference=Summed(), spec=spec)):
        with pytest.raises(TrustError, match=r"evil\.pt2: it contains .*(mkdir|class).* trust=True, or --trust"):
            attempt()
    assert not marker.exists()


@pytest.mark.parametrize("place", ["sample inputs", "a weight", "an object of a class in Python"])
def test_with_trust_a_file_is_opened_as_pytorch_does(place, whole, tmp_path, marker):
    path = change(whole, tmp_path / "evil.pt2", PICKLES[place](Marks(marker)))
    with contextlib.suppress(SourceError):  # the object is not a weight
        open_file(path, trust=True)
    assert marker.is_dir()


def old_layout(sample_inputs):
    from torch._export.serde.serialize import serialize

    made = serialize(torch.export.export(Summed().eval(), (torch.rand(6, 4), torch.rand(6, 4))))
    return {
        "version": b"8.20",
        "serialized_exported_program.json": made.exported_program,
        "serialized_state_dict.pt": made.state_dict,
        "serialized_constants.pt": made.constants,
        "serialized_example_inputs.pt": sample_inputs or made.example_inputs,
    }


def test_the_layout_before_2_8_is_read_and_its_pickles_are_not_run(tmp_path, marker):
    runner = open_file(write_members(tmp_path / "old.pt2", old_layout(None)))
    assert [declared.name for declared in runner.inputs] == ["x", "y"]
    evil = old_layout(save_pickle(((Marks(marker),), {})))
    with pytest.raises(TrustError, match=r"serialized_example_inputs\.pt: a pickle with .*mkdir"):
        open_file(write_members(tmp_path / "evil.pt2", evil))
    assert not marker.exists()


def test_both_layouts_in_one_file_do_not_hide_a_pickle(whole, tmp_path, marker):
    evil = read_members(change(whole, tmp_path / "new.pt2", PICKLES["sample inputs"](Marks(marker))))
    for members in ({**evil, **old_layout(None)}, {**old_layout(None), **evil}):
        with contextlib.suppress(SourceError):
            open_file(write_members(tmp_path / "both.pt2", members))
        assert not marker.exists()
    # The new layout is not readable, so PyTorch would try the older one.
    evil_old = {**read_members(whole), **old_layout(save_pickle(((Marks(marker),), {})))}
    evil_old["whole/data/weights/weight_0"] = b"123"
    with pytest.raises(SourceError):
        open_file(write_members(tmp_path / "broken.pt2", evil_old))
    assert not marker.exists()


def code(marker):
    return f"__import__('os').mkdir('{marker}')"


def first_node(program):
    return program["graph_module"]["graph"]["nodes"][0]


def set_size(program, text):
    program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0] = {"as_expr": {"expr_str": text, "hint": None}}


def set_hint(program, text):
    program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0]["as_expr"]["hint"] = {"as_int": text}


def set_operator(program, target, *texts):
    node = first_node(program)
    node["target"] = target
    node["inputs"] = [{"name": "", "arg": {"as_string": text}, "kind": 1} for text in texts]


def set_nest(program, spec):
    program["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps([1, spec])


def rename_input(program, name):
    text = json.dumps(program).replace('"x"', json.dumps(name))
    program.clear()
    program.update(json.loads(text))


def leaf_dict(keys):
    leaf = {"type": None, "context": None, "children_spec": []}
    inner = {"type": "builtins.tuple", "context": "null", "children_spec": [leaf, leaf]}
    return {
        "type": "builtins.tuple",
        "context": "null",
        "children_spec": [inner, {"type": "builtins.dict", "context": json.dumps(keys), "children_spec": []}],
    }


TEXTS = {
    "a size": set_size,
    "a size with a lambda": lambda p, c: set_size(p, f"(lambda: {c})()"),
    "a size with an attribute": lambda p, c: set_size(p, f"s0.__class__.__init__.__globals__[{c}]"),
    "a hint": set_hint,
    "a bound": lambda p, c: p["range_constraints"].update(s77={"min_val": c, "max_val": None}),
    "a guard": lambda p, c: p["guards_code"].append(c),
    "a guard on an input": lambda p, c: p["guards_code"].append(f"L['x'].size()[{c}] > 3"),
    "an operator of another package": lambda p, c: set_operator(p, "torch.os.system", f"mkdir {c[24:-2]}"),
    "an operator that loads a library": lambda p, c: set_operator(p, "torch.ops.load_library", "/tmp/no.so"),
    "an operator on a file": lambda p, c: set_operator(p, "torch.ops.aten.from_file.default", c[24:-2]),
    "an operator of another namespace": lambda p, c: set_operator(p, "torch.ops.c10d.send.default", c),
    "an operator as an operand": lambda p, c: first_node(p)["inputs"].append(
        {"name": "", "arg": {"as_operator": "torch.os.system"}, "kind": 1}
    ),
    "an input": lambda p, c: rename_input(p, f"x={c}"),
    "a node": lambda p, c: first_node(p).update(name=f"a\n{c}\n"),
    "an argument": lambda p, c: first_node(p)["inputs"][0].update(name=f"a={c}, b"),
    "a parameter of forward": lambda p, c: p["graph_module"]["module_call_graph"][0]["signature"].update(
        forward_arg_names=[f"x={c}", "y"]
    ),
    "a weight": lambda p, c: p["graph_module"]["signature"]["input_specs"][0]["parameter"].update(
        parameter_name=f'l") + {c} + ("'
    ),
    "a key of nested inputs": lambda p, c: set_nest(p, leaf_dict([f"' + {c} + '"])),
    "an enum in nested inputs": lambda p, c: set_nest(
        p, leaf_dict([{"__enum__": True, "fqn": "antigravity:x", "name": "x"}])
    ),
    "a dict with a default in nested inputs": lambda p, c: set_nest(
        p,
        {
            "type": "collections.defaultdict",
            "context": {"default_factory_module": "antigravity", "default_factory_name": "x", "dict_context": []},
            "children_spec": [],
        },
    ),
    "a number in place of a name": lambda p, c: first_node(p).update(name=5),
    "text in place of a number": lambda p, c: first_node(p)["inputs"][1]["arg"].update(as_int=c),
}


@pytest.mark.parametrize("place", TEXTS)
def test_no_text_of_a_program_is_run(place, whole, tmp_path, marker):
    path = change(whole, tmp_path / "evil.pt2", {PROGRAM: lambda program: TEXTS[place](program, code(marker))})
    with pytest.raises(TrustError, match=r"models/model\.json: "):
        open_file(path)
    assert not marker.exists()


@pytest.mark.parametrize("place", ["a size", "a guard"])
def test_pytorch_itself_runs_these_texts(place, whole, tmp_path, marker):
    path = change(whole, tmp_path / "evil.pt2", {PROGRAM: lambda program: TEXTS[place](program, code(marker))})
    feeds = {name: torch.rand(6, 4).numpy() for name in ("x", "y")}
    with contextlib.suppress(dummyio.DummyioError):
        open_file(path, trust=True)(feeds)
    assert marker.is_dir(), "PyTorch no longer evaluates this text, so the check is not needed"


def test_compiled_code_needs_trust(whole, tmp_path):
    path = change(whole, tmp_path / "evil.pt2", {"data/aotinductor/model/model.so": b"\x7fELF"})
    with pytest.raises(TrustError, match=r"data/aotinductor/model/model\.so: compiled code"):
        open_file(path)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\evil"])
def test_names_that_leave_the_archive_are_refused(name, whole, tmp_path):
    path = write_members(tmp_path / "evil.pt2", {**read_members(whole), name: b""})
    with pytest.raises(SourceError, match="leads out of the archive"):
        open_file(path)


def test_a_name_with_a_null_byte_is_refused(whole, tmp_path):
    path = write_members(tmp_path / "evil.pt2", {**read_members(whole), "whole/nullX": b""})
    path.write_bytes(path.read_bytes().replace(b"whole/nullX", b"whole/nul\0X"))
    with pytest.raises(SourceError, match="leads out of the archive"):
        open_file(path)


def test_claims_beyond_the_size_of_the_file_are_refused(whole, tmp_path):
    members = {**read_members(whole), "whole/data/weights/weight_0": bytes(200 << 20)}
    path = write_members(tmp_path / "bomb.pt2", members, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(SourceError, match="its members claim"):
        open_file(path)


def test_a_weight_without_bytes_takes_no_memory(whole, tmp_path):
    def claim(table):
        table["config"]["layer.weight"]["tensor_meta"]["sizes"] = [{"as_int": 1 << 40}, {"as_int": 4}]

    path = change(whole, tmp_path / "bomb.pt2", {WEIGHTS: claim, "data/weights/weight_0": b""})
    with pytest.raises(SourceError, match="has no bytes in the file"):
        open_file(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not an archive", "pickle"])
def test_other_files_are_refused_and_not_run(content, tmp_path, marker):
    path = tmp_path / "other.pt2"
    path.write_bytes(pickle.dumps(Marks(marker)) if content == "pickle" else content)
    with pytest.raises(SourceError, match="it is not an archive"):
        open_file(path)
    shutil.copy(path, tmp_path / "model.pt2")
    torch.save(Marks(marker), path)
    with pytest.raises(SourceError, match="does not find an exported program"):
        open_file(path)
    assert not marker.exists()


@pytest.mark.parametrize("names", ["[", "{}", '{"inputs": 5, "outputs": []}', '{"inputs": ["a"], "outputs": [1]}'])
def test_names_of_a_wrong_type_are_refused(names, whole, tmp_path):
    path = change(whole, tmp_path / "names.pt2", {"extra/dummyio_names.json": names.encode()})
    with pytest.raises(SourceError, match="does not find an exported program"):
        open_file(path)


@pytest.mark.parametrize(
    "text",
    [
        "s77",
        "2*s0 + 1",
        "Max(1, FloorDiv(s0, 2))",
        "s0*(s1 // 2)",
        "u0**2",
        "(s0 > 3) & (s1 < 2)",
        "True",
        "Mul(Rational(1, 2), Pow(Symbol('s0', positive=True, integer=True), Integer(2)), Float('0.5', precision=53))",
    ],
)
def test_arithmetic_of_sizes_is_accepted(text):
    check_size_expression(text)


@pytest.mark.parametrize(
    "text",
    ["9**9**9", "((((9**64)**64)**64)**64)", "2**10000", "LShift(1, 10**9)", "PowByNatural(7, 99999)", "(" * 300 + "s0" + ")" * 300,
     "1" * 5000, "s0." + "a", "f(s0)", "[s0]", "'s0'", "Symbol('s0)')", "Symbol('s0', x=f())", "Float('open(1)')", "s0 if s1 else s2", "", "s0 s1", "lambda: s0", "print(s0)", "s0[0]"],
)  # fmt: skip
def test_anything_else_is_refused(text):
    with pytest.raises(NotArithmetic):
        check_size_expression(text)


def test_guards_are_conditions_on_inputs(whole):
    for guard in json.loads(read_members(whole)["whole/models/model.json"])["guards_code"]:
        check_guard(guard)
    check_guard("L['past']['0.key'].size()[2] % 8 == 0")
    check_guard("math.trunc(L['x'][0].size()[1] / 2) >= 0 and not (max(1, L['x'].size()[0]) == 4 ** 2)")
    check_guard("(1 if L['x'].size()[0] > 3 else torch.sym_float(2)) <= 5")
    for guard in (
        "L['x'].__class__ == 3",
        "open('x') == 3",
        "L[open('x')] == 3",
        "L['x'].size(exit()) == 3",
        "M['x'] == 3",
    ):
        with pytest.raises(NotArithmetic):
            check_guard(guard)


class Scaled(torch.nn.Module):
    def forward(self, x):
        return x * x.shape[1] ** -0.5 + 1.5 ** x.shape[1]


class Mapped(torch.nn.Module):
    def forward(self, x):
        return torch.vmap(lambda row: row * row.sum())(x)


class Keyed(torch.nn.Module):
    def forward(self, x):
        return x["image/left"] + x["z a:b(c)[0]"]


@pytest.mark.parametrize("kind", [Scaled, Mapped, Keyed])
def test_sound_programs_are_opened(kind, tmp_path):
    one = torch.rand(3, 4)
    x = {"image/left": one, "z a:b(c)[0]": one + 1} if kind is Keyed else one
    axes = {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}
    dynamic = {Scaled: {"x": axes}, Mapped: None, Keyed: {"x": dict.fromkeys(("image/left", "z a:b(c)[0]"), axes)}}[
        kind
    ]
    torch.export.save(torch.export.export(kind(), (x,), dynamic_shapes=dynamic), tmp_path / "sound.pt2")
    runner = dummyio.open_runner(tmp_path / "sound.pt2")
    feeds = dict(zip([each.name for each in runner.inputs], [one.numpy(), one.numpy() + 1], strict=False))
    (result,) = runner(feeds).values()
    assert abs(result - kind()(x).numpy()).max() < 1e-6


def test_operators_that_compute_are_known():
    plain = (
        "aten.linear.default",
        "aten.sym_size.int",
        "aten._assert_scalar.default",
        "higher_order.cond",
        "prims.add.default",
    )
    assert all(is_plain_operator(f"torch.ops.{name}") for name in plain)
    assert is_plain_operator("_operator.floordiv")
    others = (
        "aten.save.default",
        "aten.manual_seed.default",
        "aten.warn.default",
        "higher_order.call_torchbind",
        "load_library",
    )
    assert not any(is_plain_operator(f"torch.ops.{name}") for name in others)
    assert not any(
        map(is_plain_operator, ("torch.load", "torch.os.system", "math.factorial", "_operator.methodcaller", "x"))
    )


class Multiplied(torch.nn.Module):
    def forward(self, x):
        return x * (x.shape[0] * 3 + 1)


@pytest.fixture(scope="module")
def multiplied(tmp_path_factory):
    path = tmp_path_factory.mktemp("multiplied") / "whole.pt2"
    torch.export.save(
        torch.export.export(Multiplied(), (torch.ones(4, 2),), dynamic_shapes=({0: torch.export.Dim.AUTO},)), path
    )
    return path


def put_numbers(program, target, *numbers):
    """Replace the product of a size by a call with numbers; None stays the size."""
    node = next(node for node in program["graph_module"]["graph"]["nodes"] if node["target"] == "_operator.mul")
    size = next(operand["arg"] for operand in node["inputs"] if "as_name" in str(operand))
    operands = [size if number is None else number for number in numbers]
    node["target"] = target
    node["inputs"] = [{"name": "", "arg": operand, "kind": 1} for operand in operands]


def put_squares(program, count):
    nodes = program["graph_module"]["graph"]["nodes"]
    place = next(i for i, node in enumerate(nodes) if node["target"] == "_operator.mul")
    for _ in range(count):
        output = nodes[place]["outputs"][0]["as_sym_int"]["as_name"]
        operand = {"name": "", "arg": {"as_sym_int": {"as_name": output}}, "kind": 1}
        copy = json.loads(json.dumps(nodes[place]))
        copy["inputs"] = [operand, operand]
        copy["outputs"] = [{"as_sym_int": {"as_name": output + "_"}}]
        place += 1
        nodes.insert(place, copy)
        program["graph_module"]["graph"]["sym_int_values"][output + "_"] = program["graph_module"]["graph"][
            "sym_int_values"
        ][output]


def number(value):
    return {"as_float" if isinstance(value, float) else "as_int": value}


HUGE = {
    "a power": lambda p: put_numbers(p, "_operator.pow", number(3), number(2_000_000_000)),
    "a power of a size": lambda p: put_numbers(p, "_operator.pow", None, number(1 << 40)),
    "a size as exponent": lambda p: put_numbers(p, "_operator.pow", number(3), None),
    "a shift": lambda p: put_numbers(p, "_operator.lshift", number(1), number(1 << 36)),
    "squares of squares": lambda p: put_squares(p, 40),
    "a text of many digits": lambda p: put_numbers(p, "_operator.mod", {"as_string": "%09999999999d"}, number(1)),
    "a long text": lambda p: put_numbers(p, "_operator.mul", {"as_string": "a"}, number(1 << 36)),
    "a long list": lambda p: put_numbers(p, "_operator.mul", {"as_ints": [0]}, number(1 << 36)),
    "a size from a float": lambda p: put_numbers(
        p, "torch.ops.aten.zeros.default", {"as_floats": [1.0, 1e15]}
    ),
    "full": lambda p: put_numbers(p, "torch.ops.aten.full.default", {"as_ints": [10**6, 10**6]}, number(1)),
    "zeros of computed sizes": lambda p: put_numbers(
        p, "torch.ops.aten.zeros.default", {"as_sym_ints": [{"as_int": 10**10}, {"as_name": "sym_size_int"}]}
    ),
    "repeat": lambda p: put_numbers(p, "torch.ops.aten.repeat.default", None, {"as_ints": [1 << 40, 1]}),
    "expand": lambda p: put_numbers(p, "torch.ops.aten.expand.default", None, {"as_ints": [1 << 40, 1]}),
    "pad": lambda p: put_numbers(p, "torch.ops.aten.constant_pad_nd.default", None, {"as_ints": [1 << 40, 0]}),
    "arange": lambda p: put_numbers(p, "torch.ops.aten.arange.default", number(10**12)),
    "a range of small steps": lambda p: put_numbers(
        p, "torch.ops.aten.arange.start_step", number(0), number(1.0), number(1e-12)
    ),
    "randperm": lambda p: put_numbers(p, "torch.ops.aten.randperm.default", number(1 << 40)),
    "eye": lambda p: put_numbers(p, "torch.ops.aten.eye.m", number(10**6), number(10**6)),
    "strides": lambda p: put_numbers(p, "torch.ops.aten.empty_strided.default", {"as_ints": [2, 2]}, {"as_ints": [1 << 40, 1]}),
}  # fmt: skip


@pytest.mark.parametrize("kind", HUGE)
def test_numbers_in_a_program_are_bounded(kind, multiplied, tmp_path):
    path = change(multiplied, tmp_path / "huge.pt2", {PROGRAM: HUGE[kind]})
    start = time.monotonic()
    with pytest.raises(
        TrustError,
        match=r"models/model\.json: (a number of too many digits|text or a list|a power or shift|a tensor of more)",
    ):
        open_file(path)
    assert time.monotonic() - start < 5


def test_ordinary_numbers_need_no_trust(tmp_path):
    class Ordinary(torch.nn.Module):
        def forward(self, x):
            n = x.shape[0]
            y = torch.nn.functional.pad(x[0:], (1, 1)).repeat(2, 3)
            z = torch.arange(n * 2) * 10**12 + torch.full((2 * n,), -(10**15))
            parts = torch.split(torch.zeros(n, 40_960), [8192] * 5, dim=1)
            y = y * torch.linspace(1e-12, 1.0, y.shape[1]) + torch.arange(0.0, 1.0, 1e-5).sum()
            return y.sum() + z.sum() + parts[1].sum() + torch.as_strided(x, (2, 2), (2, 1)).sum() + n**2

    path = tmp_path / "ordinary.pt2"
    torch.export.save(
        torch.export.export(Ordinary(), (torch.ones(4, 2),), dynamic_shapes=({0: torch.export.Dim.AUTO},)), path
    )
    assert open_file(path)({"x": torch.ones(6, 2).numpy()})
