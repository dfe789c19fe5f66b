"""The loop on a small network and made-up batches: exact resume, phases, kept weights, what
TensorBoard gets.
"""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import models
from losses.pixel import mae_loss
from training.loop import LoopOptions, Phase, run_phases
from training.optimizers import make_optimizer, make_schedule
from training.run_folder import RunFolder
from training.step import Step, pixel


def batches(start):
    """Batch k is a pure function of k."""

    def generate():
        k = start
        while True:
            rng = np.random.default_rng(k)
            lr = rng.random((2, 6, 6, 3), np.float32)
            yield lr, lr.repeat(4, axis=1).repeat(4, axis=2) * 0.5
            k += 1

    spec = (tf.TensorSpec((2, 6, 6, 3), tf.float32), tf.TensorSpec((2, 24, 24, 3), tf.float32))
    return tf.data.Dataset.from_generator(generate, output_signature=spec)


class Darkness:
    """Ranks a network by how dark its image of mid-grey is: a number that training towards half
    brightness moves.
    """

    def __init__(self, *, brighter_by=0.0):
        """brighter_by: subtracted from the number; another one is another validation set."""
        self.offset, self.identity = brighter_by, f"mid-grey, brighter by {brighter_by}"

    def metrics(self, model):
        mean = float(np.mean(model(np.full((1, 4, 4, 3), 0.5, np.float32), training=False)))
        return {"darkness": 1 - mean - self.offset}

    def pictures(self, model):
        return {"grey": model(np.full((1, 4, 4, 3), 0.5, np.float32), training=False)}


def train(path, *, steps=(8,), stop=None, learning_rate=1e-2, keep="best", validator=None, branch=None, folder=None):
    """Train phases of that many steps; `stop` ends the batches of a run early, as a kill would.
    branch: the number of a phase that is a side branch of the first.
    """
    tf.keras.utils.set_random_seed(3)
    model = models.build_generator("compact_xs", depth=1, width=4)
    average = models.clone(model)
    phases = []
    for i, count in enumerate(steps):
        optimizer = make_optimizer(model, schedule=make_schedule("cosine", learning_rate=learning_rate, steps=count))
        step = Step(generator=model, optimizer=optimizer, terms=[pixel(1.0, mae_loss)])
        begins = "phase_0" if i == branch else None
        optimizers, weights = {"generator": optimizer}, {"pixel": 3.0}
        phases.append(
            Phase(f"phase_{i}", step, model, average, count, keep, optimizers, begins=begins, weights=weights)
        )
    folder = folder or RunFolder(path, role="student")
    limited = batches if stop is None else lambda start: batches(start).take(stop - start)
    options = LoopOptions(checkpoint_every=3, validate_every=4, log_every=2, average_decay=0.9)
    summaries = run_phases(
        phases,
        folder=folder,
        batches=limited,
        validator=validator or Darkness(),
        save_weights=models.save_weights,
        options=options,
    )
    return folder, summaries


def weights(path):
    return models.load_generator(path).get_weights()


def test_resume_equals_an_uninterrupted_run(tmp_path):
    """Stopped after step 5 of 8, it goes on from the checkpoint at 3 and ends with the same
    bits.
    """
    whole, _ = train(tmp_path / "whole")
    with pytest.raises(StopIteration):
        train(tmp_path / "stopped", stop=5)
    resumed, _ = train(tmp_path / "stopped")
    for name in ("student.weights.h5", "last.weights.h5", "student.phase_0.weights.h5"):
        for a, b in zip(weights(whole.path / name), weights(resumed.path / name), strict=True):
            np.testing.assert_array_equal(a, b)


def test_resume_in_a_second_phase(tmp_path):
    whole, _ = train(tmp_path / "whole", steps=(4, 8))
    with pytest.raises(StopIteration):
        train(tmp_path / "stopped", steps=(4, 8), stop=9)
    resumed, summaries = train(tmp_path / "stopped", steps=(4, 8))
    for a, b in zip(weights(whole.weights), weights(resumed.weights), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [summary["phase"] for summary in summaries] == ["phase_0", "phase_1"]


def same(one, other):
    """Whether two weight files hold the same bits."""
    return all(np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


@pytest.mark.slow
def test_a_side_branch_leaves_the_run_as_it_is(tmp_path):
    """Phase, branch, phase: the last one and the result are those of a run without the branch,
    which has batches and start of the phase after the first. So they are where the branch comes
    later, to a run that is finished.
    """
    plain, _ = train(tmp_path / "plain", steps=(4, 8), keep="last")
    branched, summaries = train(tmp_path / "branched", steps=(4, 8, 8), branch=1, keep="last")
    assert [summary["phase"] for summary in summaries] == ["phase_0", "phase_1", "phase_2"]
    one, two = (branched.phase_weights(name) for name in ("phase_1", "phase_2"))
    assert same(two, plain.phase_weights("phase_1")) and same(branched.weights, plain.weights)
    assert same(one, two) and not same(one, branched.phase_weights("phase_0"))
    assert any((branched.logs / "phase_1").glob("events*"))
    plain.weights.unlink()  # it is put back from the last phase, not from where the branch begins
    later, _ = train(tmp_path / "plain", steps=(4, 8, 8), branch=2, keep="last")
    assert same(later.phase_weights("phase_2"), one) and same(later.weights, branched.weights)
    train(tmp_path / "plain", steps=(4, 9, 8), branch=2, keep="last")  # nothing stands on phase_1


@pytest.mark.slow
def test_a_killed_side_branch_goes_on(tmp_path):
    whole, _ = train(tmp_path / "whole", steps=(4, 8, 4), branch=1)
    with pytest.raises(StopIteration):
        train(tmp_path / "stopped", steps=(4, 8, 4), branch=1, stop=9)
    resumed, _ = train(tmp_path / "stopped", steps=(4, 8, 4), branch=1)
    for name in ("phase_1", "phase_2"):
        assert same(whole.phase_weights(name), resumed.phase_weights(name))
    resumed.weights.unlink()
    train(tmp_path / "stopped", steps=(4, 8, 4), branch=1)
    assert same(resumed.weights, whole.weights)  # put back from the last phase, not from the branch


def test_a_finished_run_changes_nothing(tmp_path):
    folder, _ = train(tmp_path)
    before = folder.weights.read_bytes()
    train(tmp_path)
    assert folder.weights.read_bytes() == before


def test_best_keeps_the_best_and_last_the_last(tmp_path):
    # The output starts at the anchor's brightness and is trained towards half of it: darkness only
    # grows.
    folder, summaries = train(tmp_path / "best", learning_rate=1e-3)
    assert models.read_facts(folder.weights)["step"] == 8
    assert summaries[0]["metrics"]["darkness"] > 0.5
    # Ascent instead of descent: the best is the beginning, the last is the end. The summary tells
    # of what was kept.
    folder, summaries = train(tmp_path / "best_is_first", learning_rate=-1e-3)
    assert models.read_facts(folder.weights)["step"] == 0
    assert models.read_facts(folder.last_weights)["step"] == 8
    assert summaries[0]["metrics"] == models.read_facts(folder.weights)["metrics"]
    assert summaries[0]["metrics"] != models.read_facts(folder.last_weights)["metrics"]
    # So it does where the process that kept them is gone.
    with pytest.raises(StopIteration):
        train(tmp_path / "resumed", learning_rate=-1e-3, stop=5)
    folder, summaries = train(tmp_path / "resumed", learning_rate=-1e-3)
    assert models.read_facts(folder.weights)["step"] == 0
    assert summaries[0]["metrics"] == pytest.approx(models.read_facts(folder.weights)["metrics"])
    folder, _ = train(tmp_path / "last", learning_rate=-1e-3, keep="last")
    assert models.read_facts(folder.weights)["step"] == 8


def test_best_is_measured_again_where_validation_has_changed(tmp_path, caplog):
    """On the first set every network is darker by 5, so no later one would ever beat what was kept
    before the change.
    """
    caplog.set_level("INFO", logger="absl")
    with pytest.raises(StopIteration):
        train(tmp_path, stop=5, learning_rate=1e-3, validator=Darkness(brighter_by=-5.0))
    assert models.read_facts(tmp_path / "student.weights.h5")["step"] == 4
    folder, summaries = train(tmp_path, learning_rate=1e-3)
    facts = models.read_facts(folder.weights)
    assert facts["step"] == 8 and facts["validation"] == "mid-grey, brighter by 0.0"
    assert summaries[0]["metrics"] == facts["metrics"] and facts["metrics"]["darkness"] < 1
    assert summaries[0]["validation"] == "mid-grey, brighter by 0.0"
    said = "validation has changed (was: mid-grey, brighter by -5.0; is: mid-grey, brighter by 0.0)"
    assert said in caplog.text


def test_what_was_kept_stays_where_it_is_best_on_the_new_set_too(tmp_path):
    """And the moving average goes on from where it was: but for the curves, as if nothing had been
    measured.
    """
    whole, _ = train(tmp_path / "whole", learning_rate=-1e-3)
    with pytest.raises(StopIteration):
        train(tmp_path / "changed", stop=5, learning_rate=-1e-3, validator=Darkness(brighter_by=5.0))
    folder, summaries = train(tmp_path / "changed", learning_rate=-1e-3)
    assert models.read_facts(folder.weights)["step"] == 0
    assert summaries[0]["metrics"] == pytest.approx(models.read_facts(whole.weights)["metrics"])
    for a, b in zip(weights(whole.last_weights), weights(folder.last_weights), strict=True):
        np.testing.assert_array_equal(a, b)


def test_tensorboard_has_phases_that_follow_one_another_on_one_axis_and_the_flags(tmp_path):
    folder = RunFolder(tmp_path, role="student")
    with folder:
        folder.open({"learning_rate": "0.01", "init": ""}, fixed=set())
        train(tmp_path, steps=(8, 4), folder=folder)
    events = EventAccumulator(str(folder.logs), size_guidance={"tensors": 0})
    events.Reload()
    steps = {tag: [event.step for event in events.Tensors(tag)] for tag in events.Tags()["tensors"]}
    assert steps["metrics/darkness"] == [0, 4, 8, 8, 12] and steps["losses/pixel"] == [2, 4, 6, 8, 10, 12]
    raw, weighted = (
        [tf.make_ndarray(event.tensor_proto).item() for event in events.Tensors(f"{group}/pixel")]
        for group in ("losses", "weighted")
    )
    np.testing.assert_allclose(weighted, 3.0 * np.array(raw), rtol=1e-6)
    assert steps["flags"] == [0, 8]
    text = tf.make_ndarray(events.Tensors("flags")[0].tensor_proto).item().decode()
    assert "| --learning\\_rate | 0.01 |\n| --init | (empty) |" in text


def test_tensorboard_gets_losses_rates_metrics_throughput_and_pictures(tmp_path):
    folder, _ = train(tmp_path)
    events = EventAccumulator(str(folder.logs), size_guidance={"tensors": 0, "images": 0})
    events.Reload()
    steps = {tag: [event.step for event in events.Tensors(tag)] for tag in events.Tags()["tensors"]}
    assert steps["losses/pixel"] == [2, 4, 6, 8]
    assert steps["metrics/darkness"] == steps["grey"] == [0, 4, 8]
    for chart in ("learning_rate_generator", "images_per_second", "data_wait"):
        assert steps[f"charts/{chart}"] == [2, 4, 6, 8]
    rates = [tf.make_ndarray(e.tensor_proto).item() for e in events.Tensors("charts/learning_rate_generator")]
    assert rates == sorted(rates, reverse=True) and rates[-1] == pytest.approx(1e-4)
