"""Damaged frozen graphs and SavedModels."""

from functools import partial

import pytest

tf = pytest.importorskip("tensorflow")

from damaged_bytes import damage_bytes
from tf_models import made

import dummyio


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The protos of sound files: frozen graphs, SavedModels of frozen functions, and one with variables and functions."""
    folder = tmp_path_factory.mktemp("sound")
    graphs, folders = [], []
    for name in ("functional", "module"):
        model, spec = made(name)
        graphs.append(dummyio.export(model, folder / f"{name}.pb", spec=spec).path)
        folders.append(dummyio.export(model, folder / name, spec=spec).path)
    made("subclassed")[0].export(folder / "keras", verbose=False)
    for path in (*graphs, *folders, folder / "keras"):
        dummyio.describe(path)
        dummyio.open_runner(path)
    protos = [path / "saved_model.pb" for path in (*folders, folder / "keras")]
    return [path.read_bytes() for path in graphs], [path.read_bytes() for path in protos]


@pytest.mark.slow
def test_damaged_graphs(attack, files, tmp_path):
    random = attack.random("pb")

    def inputs():
        for number in range(attack.count(1000)):
            path = tmp_path / f"{number}.pb"
            path.write_bytes(damage_bytes(random, files[0]))
            yield f"describe {number}", partial(dummyio.describe, path)
            yield f"open {number}", partial(dummyio.open_runner, path)
            path.unlink()

    assert attack.run(inputs())["SourceError"], "no file was damaged"


@pytest.mark.slow
def test_damaged_saved_models(attack, files, tmp_path):
    random = attack.random("saved_model")

    def inputs():
        for number in range(attack.count(1000)):
            (tmp_path / "saved_model.pb").write_bytes(damage_bytes(random, files[1]))
            yield f"describe {number}", partial(dummyio.describe, tmp_path)

    assert attack.run(inputs())["SourceError"], "no file was damaged"
