import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

import models
from errors import UserError
from training.checkpoints import Checkpoints
from training.optimizers import make_optimizer, make_schedule


def everything(seed):
    """A network whose layers stand in lists, its optimizer after one update, a variable."""
    rng = np.random.default_rng(seed)
    model = models.build_generator("srresnet", depth=2, width=4)
    optimizer = make_optimizer(model, schedule=make_schedule("constant", learning_rate=1e-3, steps=1))
    gradients = [tf.constant(rng.normal(size=v.shape).astype("float32")) for v in model.trainable_variables]
    optimizer.apply(gradients, model.trainable_variables)
    return {"generator": model, "optimizer": optimizer, "best": tf.Variable(rng.random())}


def values(state):
    items = [[item] if isinstance(item, tf.Variable) else item.variables for item in state.values()]
    return [np.array(variable) for variables in items for variable in variables]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(values(a), values(b), strict=True))


def test_everything_comes_back(tmp_path):
    saved, other = everything(0), everything(1)
    assert not any(np.array_equal(x, y) for x, y in zip(values(saved), values(other), strict=True) if x.ndim == 4)
    Checkpoints(tmp_path, saved).save(12)
    assert Checkpoints(tmp_path, other).restore() == 12
    assert same(saved, other)


def test_none_yet(tmp_path):
    assert Checkpoints(tmp_path / "none", everything(0)).restore() is None


def test_the_oldest_go(tmp_path):
    checkpoints = Checkpoints(tmp_path, everything(0), keep=2)
    for step in (1, 2, 10):
        checkpoints.save(step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000002", "step-000000010"]


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "seal", "index"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, damage, caplog):
    first, second, other = everything(0), everything(1), everything(2)
    Checkpoints(tmp_path, first).save(1)
    Checkpoints(tmp_path, second).save(2)
    data = tmp_path / "step-000000002" / "state.data-00000-of-00001"
    content = data.read_bytes()
    if damage == "truncate":
        data.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        data.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    elif damage == "remove":
        data.unlink()
    elif damage == "index":
        index = data.with_name("state.index")
        index.write_bytes(index.read_bytes()[:-9] + b"something")
    else:
        (data.parent / "seal.json").unlink()
    damaged = {path.name: path.read_bytes() for path in data.parent.iterdir()}
    assert Checkpoints(tmp_path, other).restore() == 1
    assert same(first, other)
    assert "step-000000002: damaged" in caplog.text and "set aside as step-000000002.damaged" in caplog.text
    aside = tmp_path / "step-000000002.damaged"
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == damaged


SEALS = [
    "[]",
    "{}",
    "null",
    "3",
    '"text"',
    "",
    "{",
    '{"files": 3, "facts": {}}',
    '{"files": {}, "facts": {}}',
    "[" * 9999,
]


@pytest.mark.parametrize("seal", SEALS)
def test_a_seal_that_still_parses_falls_back_too(tmp_path, seal):
    best = tf.Variable(1.0)
    checkpoints = Checkpoints(tmp_path, {"best": best})
    checkpoints.save(1)
    best.assign(2.0)
    (checkpoints.save(2) / "seal.json").write_text(seal)
    assert checkpoints.restore() == 1 and best.numpy() == 1.0


def test_a_damaged_checkpoint_is_not_counted_and_the_saved_one_is_named(tmp_path):
    """With --keep=1 the damaged one, which is newer, used to stay and the one just saved to go."""
    best = tf.Variable(1.0)
    for step in (1, 5):
        Checkpoints(tmp_path, {"best": best}).save(step)
    (tmp_path / "step-000000005/seal.json").write_text("[]")
    checkpoints = Checkpoints(tmp_path, {"best": best}, keep=1)
    assert checkpoints.restore() == 1
    best.assign(3.0)
    assert checkpoints.save(3) == checkpoints.newest() == tmp_path / "step-000000003"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000003", "step-000000005.damaged"]
    other = tf.Variable(0.0)
    assert Checkpoints(tmp_path, {"best": other}).restore() == 3 and other.numpy() == 3.0
    (checkpoints.save(5) / "seal.json").write_text("[]")
    with pytest.raises(UserError, match="no sound checkpoint"):
        checkpoints.restore()
    assert (tmp_path / "step-000000005.damaged-2").is_dir()


def test_without_a_sound_one_it_does_not_begin_afresh_in_silence(tmp_path):
    state = {"best": tf.Variable(1.0)}
    Checkpoints(tmp_path, state).save(5)
    (tmp_path / "step-000000005/seal.json").write_text("[]")
    for _ in range(2):
        with pytest.raises(UserError, match="step-000000005.damaged: damaged, and no sound checkpoint .*--new_run"):
            Checkpoints(tmp_path, state).restore()


def test_facts_come_back_and_old_seals_have_none(tmp_path):
    state = {"best": tf.Variable(1.0)}
    Checkpoints(tmp_path, state).save(1, validation="ten images")
    checkpoints = Checkpoints(tmp_path, state)
    assert checkpoints.restore() == 1 and checkpoints.facts == {"validation": "ten images"}
    seal = tmp_path / "step-000000001/seal.json"
    seal.write_text(json.dumps(json.loads(seal.read_text())["files"]))
    assert checkpoints.restore() == 1 and checkpoints.facts == {}


def test_any_damage_to_any_byte_falls_back(tmp_path):
    """One bit of each byte of the seal and of each file, in turn: the checkpoint is used only where
    the seal means the same.
    """
    first, second = {"best": tf.Variable(1.0)}, {"best": tf.Variable(2.0)}
    Checkpoints(tmp_path, first).save(1, validation="a")
    Checkpoints(tmp_path, second).save(2, validation="a")
    folder, rng = tmp_path / "step-000000002", np.random.default_rng(0)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for place in range(len(content)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1 << rng.integers(8)]) + content[place + 1 :])
            other = {"best": tf.Variable(0.0)}
            step = Checkpoints(tmp_path, other).restore()
            assert (step, other["best"].numpy()) in ((1, 1.0), (2, 2.0))
            assert step == 1 or path.name == "seal.json"
            if step == 1:
                (tmp_path / "step-000000002.damaged").rename(folder)
        path.write_bytes(content)


def test_only_its_own_files_are_removed(tmp_path):
    (tmp_path / "big_disc").mkdir()
    Checkpoints(tmp_path / "big_disc", {"best": tf.Variable(1.0)}).save(1)
    for name in ("step-000000001", "step-000000002"):
        (tmp_path / name).symlink_to(tmp_path / "big_disc/step-000000001")
    checkpoints = Checkpoints(tmp_path, {"best": tf.Variable(1.0)}, keep=1)
    checkpoints.save(3)
    (tmp_path / "step-000000003/notes.txt").write_text("mine")
    checkpoints.save(4)
    assert len(list((tmp_path / "big_disc/step-000000001").iterdir())) == 3
    assert (tmp_path / "step-000000001").is_symlink()
    assert [path.name for path in (tmp_path / "step-000000003").iterdir()] == ["notes.txt"]


def test_a_half_written_checkpoint_is_not_seen(tmp_path):
    Checkpoints(tmp_path, everything(0)).save(1)
    shutil.copytree(tmp_path / "step-000000001", tmp_path / ".half-written-123.step-000000002")
    assert Checkpoints(tmp_path, everything(1)).restore() == 1


def test_another_network_is_refused(tmp_path):
    Checkpoints(tmp_path, {"generator": models.build_generator("compact_xs")}).save(1)
    for other in ("compact_s", "srresnet"):
        with pytest.raises(UserError, match="step-000000001: does not fit"):
            Checkpoints(tmp_path, {"generator": models.build_generator(other)}).restore()


def test_an_unwritable_folder_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="file/step-000000001: the checkpoint could not be written"):
        Checkpoints(tmp_path / "file", everything(0)).save(1)
