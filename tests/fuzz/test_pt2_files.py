"""Broken ``.pt2`` files: truncated, with flipped bits, with members of other types, numbers, names and sizes."""

import io
import json
import random
import zipfile

import pytest

torch = pytest.importorskip("torch")

import dummyio

FILES = 600
TEXTS = ["", "x" * 5000, "__import__('os').abort()", "9**9**9", "s0", "\0", "é\u202e", "torch.os.abort", "../x", "nan"]
NUMBERS = [0, -1, 1 << 62, -(1 << 63), 1 << 200, 1e308, True, None]


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.register_buffer("scale", torch.ones(2))

    def forward(self, x):
        return self.layer(x) * self.scale + x.shape[0] // 2


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.pt2"
    program = torch.export.export(Small().eval(), (torch.rand(4, 3),), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    torch.export.save(program, path, extra_files={"dummyio_names.json": '{"inputs": ["x"], "outputs": ["y"]}'})
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def iterate_places(value, parent=None, key=None):
    if parent is not None:
        yield parent, key
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from iterate_places(item, value, name)


def change_json(content, rng):
    """Replace, remove, repeat or nest values of a JSON text."""
    value = json.loads(content)
    for _ in range(rng.choice([1, 1, 2, 5])):
        places = list(iterate_places(value))
        if not places:
            break
        parent, key = rng.choice(places)
        kind = rng.randrange(6)
        if kind == 0:
            parent[key] = rng.choice(TEXTS)
        elif kind == 1:
            parent[key] = rng.choice(NUMBERS)
        elif kind == 2:
            del parent[key]
        elif kind == 3:
            parent[key] = [parent[key]] * rng.choice([0, 1, 3, 200])
        elif kind == 4 and isinstance(parent, dict):
            parent[rng.choice(TEXTS)] = parent[key]
        else:
            other, name = rng.choice(places)
            parent[key] = (
                json.loads(json.dumps(other[name]))
                if name in (other if isinstance(other, dict) else range(len(other)))
                else {}
            )
    return json.dumps(value).encode()


def flip_bits(content, rng):
    data = bytearray(content)
    for _ in range(rng.choice([1, 3, 20])):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def mutate(members, seed):
    """Return the bytes of a broken file."""
    rng = random.Random(seed)
    members = dict(members)
    kind = rng.randrange(7)
    name = rng.choice(list(members))
    if kind == 0:
        return pack(members)[: rng.randrange(len(pack(members)))]
    if kind == 1:
        return flip_bits(pack(members), rng)
    if kind == 2:
        del members[name]
    elif kind == 3:
        members[name] = rng.choice(
            [b"", b"[" * 100_000, b"{}", b"null", rng.randbytes(100), members[name][: len(members[name]) // 2]]
        )
    elif kind == 4:
        members[rng.choice(["a/" + name, "../x", name.upper(), "x\0y", "small/data/weights/model.pt"])] = members.pop(
            name
        )
    elif kind == 5:
        members[name] = flip_bits(members[name], rng)
    else:
        texts = [name for name in members if name.endswith(".json")]
        name = rng.choice([*texts, *[each for each in texts if "models" in each] * 5])
        members[name] = change_json(members[name], rng)
    return pack(members, rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))


def test_broken_files_raise_our_errors(attack, members, tmp_path):
    def open_and_run(seed):
        path = tmp_path / "broken.pt2"
        path.write_bytes(mutate(members, seed))
        runner = dummyio.open_runner(path)
        feeds = {port.name: torch.rand(4, 3).numpy() for port in runner.inputs}
        runner(feeds)

    rng = attack.random("pt2")
    seeds = [rng.getrandbits(48) for _ in range(attack.count(FILES))]
    open_and_run_valid(members, tmp_path)
    counts = attack.run((seed, lambda seed=seed: open_and_run(seed)) for seed in seeds)
    assert counts.total() == len(seeds)


def open_and_run_valid(members, folder):
    path = folder / "whole.pt2"
    path.write_bytes(pack(members))
    assert list(dummyio.open_runner(path)({"x": torch.rand(4, 3).numpy()})) == ["y"]
