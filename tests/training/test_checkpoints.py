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


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "seal"])
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
    else:
        (data.parent / "seal.json").unlink()
    assert Checkpoints(tmp_path, other).restore() == 1
    assert same(first, other)
    assert "step-000000002: damaged" in caplog.text


def test_a_half_written_checkpoint_is_not_seen(tmp_path):
    Checkpoints(tmp_path, everything(0)).save(1)
    shutil.copytree(tmp_path / "step-000000001", tmp_path / ".step-000000002.123")
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
