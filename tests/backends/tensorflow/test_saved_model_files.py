"""The files that a SavedModel reads when it runs: its own assets and variables."""

import os
import shutil

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import dummyio
from dummyio.errors import SourceError, TrustError


def look_up(path):
    """The first line of a file."""
    table = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.string, use_node_name_sharing=False)
    tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=table, filename=path, key_index=-1, value_index=-2, vocab_size=-1, delimiter="\t"
    )
    found = tf.raw_ops.LookupTableFindV2(table_handle=table, keys=tf.constant([0], tf.int64), default_value="none")
    return tf.ensure_shape(found, [1])


def save_loop(folder, words, change):
    class Loop(tf.Module):
        def __init__(self):
            self.asset = tf.saved_model.Asset(str(words))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def call(self, x):
            start = [0, self.asset.asset_path, tf.constant(["none"])]
            result = tf.while_loop(
                lambda i, path, row: i < 2, lambda i, path, row: (i + 1, change(path), look_up(path)), start
            )
            return {"y": x + 0.0, "row": result[2]}

    module = Loop()
    tf.saved_model.save(module, folder, signatures={"serving_default": module.call})
    return folder


@pytest.fixture
def words(tmp_path):
    (tmp_path / "secret.txt").write_text("secret\n")
    (tmp_path / "words.txt").write_text("first\n")
    return tmp_path / "words.txt"


def test_a_loop_may_not_put_another_name_in_the_place_of_an_asset(tmp_path, words):
    path = save_loop(tmp_path / "other", words, lambda name: tf.constant(str(tmp_path / "secret.txt")))
    with pytest.raises(TrustError, match="InitializeTableFromTextFileV2"):
        dummyio.open_runner(path)
    path = save_loop(tmp_path / "joined", words, lambda name: name + "x")
    with pytest.raises(TrustError, match="InitializeTableFromTextFileV2"):
        dummyio.open_runner(path)


def test_a_loop_that_keeps_an_asset_needs_no_trust(tmp_path, words):
    runner = dummyio.open_runner(save_loop(tmp_path / "saved", words, tf.identity))
    assert runner({"x": np.zeros(2, np.float32)})["row"].tolist() in (["first"], [b"first"])


def save_table(folder, words):
    lines = tf.lookup.TextFileInitializer(str(words), tf.int64, -1, tf.string, -2)
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(lines, "none")
    module.weight = tf.Variable(1.0)
    module.call = tf.function(module.table.lookup, input_signature=[tf.TensorSpec([None], tf.int64, "x")])
    tf.saved_model.save(module, folder, signatures={"serving_default": module.call})
    return folder


@pytest.mark.parametrize("name", ["assets/words.txt", "variables/variables.index"])
def test_files_that_are_links_out_of_the_folder(tmp_path, words, name):
    path = save_table(tmp_path / "saved", words)
    shutil.move(path / name, tmp_path / "outside")
    (path / name).symlink_to(tmp_path / "outside")
    with pytest.raises(TrustError, match="outside of its folder"):
        dummyio.open_runner(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are of POSIX")
@pytest.mark.parametrize("trust", [False, True])
def test_assets_that_never_end(tmp_path, words, trust):
    path = save_table(tmp_path / "saved", words)
    (path / "assets" / "words.txt").unlink()
    os.mkfifo(path / "assets" / "words.txt")
    with pytest.raises(SourceError, match="not a regular file"):
        dummyio.open_runner(path, trust=trust)


def test_a_cache_of_links_needs_no_trust(tmp_path, words):
    """As the cache of Hugging Face: every file of a snapshot is a link to a store."""
    path, store = save_table(tmp_path / "snapshots" / "main", words), tmp_path / "blobs"
    store.mkdir()
    for number, file in enumerate([one for one in sorted(path.rglob("*")) if one.is_file()]):
        shutil.move(file, store / str(number))
        file.symlink_to(store / str(number))
    runner = dummyio.open_runner(path)
    assert runner({runner.inputs[0].name: np.zeros(1, np.int64)})["output_0"].tolist() in (["first"], [b"first"])
