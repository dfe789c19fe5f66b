"""What goes wrong in a long run: sick losses, full discs, files that vanish, flags that change."""

import resource
from contextlib import contextmanager, suppress

import numpy as np
import pytest
import tensorflow as tf

import models
from errors import UserError
from losses.pixel import mae_loss
from tests.training.test_loop import Darkness, batches
from training.checkpoints import Checkpoints
from training.loop import LoopOptions, Phase, _fill, run_phases
from training.monitor import Monitor
from training.optimizers import make_optimizer, make_schedule
from training.run_folder import RunFolder
from training.step import Step, pixel


class InTurn(Darkness):
    """Metrics that were written down before, whatever the network gives."""

    def __init__(self, *values):
        super().__init__()
        self.values = iter(values)

    def metrics(self, model):
        return {"psnr_y": next(self.values)}


def train(path, *, batches=batches, steps=(8,), network="compact_xs", name="adam", keep="last", validator=None):
    """Like the loop's own test, at a constant rate; returns the networks too."""
    tf.keras.utils.set_random_seed(3)
    model = models.build_generator(network, depth=1, width=4)
    average, phases = models.clone(model), []
    for i, count in enumerate(steps):
        schedule = make_schedule("constant", learning_rate=1e-2, steps=count)
        optimizer = make_optimizer(model, schedule=schedule, name=name)
        step = Step(generator=model, optimizer=optimizer, terms=[pixel(1.0, mae_loss)])
        phases.append(Phase(f"phase_{i}", step, model, average, count, keep, {"generator": optimizer}))
    folder = RunFolder(path, role="student")
    folder.open({}, fixed=set())
    try:
        validate_every = 1 if keep == "best" else 4
        options = LoopOptions(checkpoint_every=4, validate_every=validate_every, log_every=2, average_decay=0.0)
        summaries = run_phases(
            phases,
            folder=folder,
            batches=batches,
            validator=validator or Darkness(),
            save_weights=models.save_weights,
            options=options,
        )
    finally:
        folder.close()
    return model, optimizer, summaries


def poisoned(*numbers, times=10**9):
    """The batches of `batches`, those of these numbers full of NaN, the first so many times that
    they are asked for.
    """
    asked = []

    def make(start):
        def poison(k, batch):
            if k in numbers and len(asked) < times:
                asked.append(k)
                return [np.full(a.shape, np.nan, np.float32) for a in batch]
            return batch

        def generate():
            for k, batch in enumerate(batches(start), start):
                yield tuple(poison(k, batch))

        return tf.data.Dataset.from_generator(generate, output_signature=batches(0).element_spec)

    return make


def without(*numbers):
    """The batches of `batches` except these numbers."""

    def make(start):
        return tf.data.Dataset.from_generator(
            lambda: (batch for k, batch in enumerate(batches(start), start) if k not in numbers),
            output_signature=batches(0).element_spec,
        )

    return make


@pytest.mark.parametrize(
    "network, name",
    [("compact_xs", "adam"), ("compact_xs", "muon"), pytest.param("srresnet", "adam", marks=pytest.mark.slow)],
)
def test_a_sick_update_is_as_if_its_batch_had_not_been(tmp_path, network, name, caplog):
    """Weights, moments and batch statistics, compared with a run that never saw the two batches.
    srresnet has batch normalisation.
    """
    sick, optimizer, summaries = train(tmp_path / "sick", batches=poisoned(0, 5), network=network, name=name)
    sound, reference, _ = train(tmp_path / "sound", batches=without(0, 5), steps=(6,), network=network, name=name)
    for a, b in zip(sick.get_weights(), sound.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert optimizer.iterations.numpy() == reference.iterations.numpy() == 6
    assert summaries[0]["skipped_updates"] == 2
    assert caplog.text.count("loss term pixel not finite; 1 updates skipped") == 2


def test_what_was_best_before_a_retreat_stays(tmp_path):
    """The best, of step 5, lies behind the checkpoint that the run goes back to, of step 4."""
    values = InTurn(0, 1, 2, 3, 10, 20, *[4] * 5, *[15] * 20)  # of steps 0 to 5, then of the sick ones, then again
    train(tmp_path, batches=poisoned(*range(5, 11), times=6), steps=(12,), keep="best", validator=values)
    facts = models.read_facts(tmp_path / "student.phase_0.weights.h5")
    assert (facts["step"], facts["metrics"]) == (5, {"psnr_y": 20.0})


def test_a_sickness_sends_the_run_back_once_at_half_the_rate(tmp_path, caplog):
    _, optimizer, _ = train(tmp_path, batches=poisoned(*range(5, 11), times=6), steps=(12,))
    assert "loss term pixel not finite, 5 updates in a row; back to step 4 at half the learning rate" in caplog.text
    assert optimizer.rate_factor.numpy() == 0.5
    assert optimizer.iterations.numpy() == 12


def test_a_sickness_that_stays_is_an_error_that_names_the_term(tmp_path):
    with pytest.raises(UserError, match="loss term pixel not finite, .* at half the learning rate too.*step-000000004"):
        train(tmp_path, batches=poisoned(*range(5, 40)), steps=(20,))
    resumed = Checkpoints(tmp_path / "checkpoints/phase_0", {}).newest()
    assert resumed.name == "step-000000004"


@contextmanager
def file_size_limit(size):
    """As a full disc: no file may grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disc_leaves_the_last_checkpoint_whole(tmp_path):
    train(tmp_path, steps=(4,))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "logs" not in path.parts}
    # The weights still fit, the checkpoint with Adam's moments does not.
    size = (tmp_path / "checkpoints/phase_0/step-000000004/state.data-00000-of-00001").stat().st_size
    with file_size_limit(size - 1000), pytest.raises(UserError, match="could not be written"):
        train(tmp_path, steps=(8,))
    for path, content in before.items():
        if "checkpoints" in path.parts:
            assert path.read_bytes() == content, path
    train(tmp_path, steps=(8,))
    whole, _, _ = train(tmp_path / "whole", steps=(8,))
    for a, b in zip(
        models.load_generator(tmp_path / "student.weights.h5").get_weights(), whole.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_weights_that_cannot_be_written_are_one_line(tmp_path):
    with file_size_limit(1000), pytest.raises(UserError, match="last.weights.h5: the weights could not be written"):
        train(tmp_path)


def test_batches_that_can_no_longer_be_made_are_one_line(tmp_path):
    """What the data raises in a thread of tf.data comes out as the user's line, and the last
    checkpoint stays.
    """

    def broken(start):
        def generate():
            for k, batch in enumerate(batches(start), start):
                if k == 5:
                    raise UserError("photos/: none of the decoded pictures can be read any more")
                yield batch

        return tf.data.Dataset.from_generator(generate, output_signature=batches(0).element_spec)

    with pytest.raises(
        UserError, match="^a batch could not be read: photos/: none of the decoded pictures can be read"
    ):
        train(tmp_path, batches=broken)
    assert Checkpoints(tmp_path / "checkpoints/phase_0", {}).newest().name == "step-000000004"


def test_curves_that_cannot_be_written_are_one_line(tmp_path):
    (tmp_path / "logs").write_text("in the way")
    with pytest.raises(UserError, match="logs: TensorBoard's curves could not be written"):
        Monitor(tmp_path / "logs", phase="pixel", start=0, steps=1)
    with (
        pytest.raises(UserError, match="curves: TensorBoard's curves could not be written"),
        Monitor(tmp_path / "curves", phase="pixel", start=0, steps=1) as monitor,
        file_size_limit(1000),
    ):
        noise = np.random.default_rng(0).random((1, 99, 99, 3), np.float32)
        for step in range(2):  # the first fills the file up to the limit
            monitor.pictures(step, {"noise": noise})


def test_the_kept_weights_of_a_finished_phase_gone_or_changed(tmp_path):
    train(tmp_path, steps=(4,))
    kept = tmp_path / "student.phase_0.weights.h5"
    content = kept.read_bytes()
    kept.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match="student.phase_0.weights.h5: has changed since the phase wrote it"):
        train(tmp_path, steps=(4, 4))
    kept.unlink()
    with pytest.raises(UserError, match="student.phase_0.weights.h5: is gone"):
        train(tmp_path, steps=(4, 4))
    kept.write_bytes(content)
    train(tmp_path, steps=(4, 4))
    kept.unlink()  # the second phase has all it needs in its own checkpoints
    train(tmp_path, steps=(4, 8))


def test_steps_of_a_phase_change_only_while_nothing_stands_on_it(tmp_path):
    train(tmp_path, steps=(4,))
    train(tmp_path, steps=(8,))
    with pytest.raises(UserError, match="stands at step 8 already, beyond the 4"):
        train(tmp_path, steps=(4,))
    train(tmp_path, steps=(8, 4))
    with pytest.raises(UserError, match="phase_1 has begun from phase phase_0 at 8 steps, which is now to have 12"):
        train(tmp_path, steps=(12, 4))


def test_leftovers_of_a_killed_run_are_removed_and_nothing_else(tmp_path):
    leftovers = [".half-written-17.config.txt", ".half-written-4711.student.weights.h5"]
    leftovers += ["checkpoints/pixel/.half-written-12.step-000000004/state.index"]
    others = [
        ".gitignore",
        "notes.12",
        "checkpoints/pixel/step-000000002",
        ".backup.2024",
        ".cache.7/letter",
        "elsewhere/x",
    ]
    others += [".half-written-x.txt", ".half-written-17", "checkpoints/pixel/.half-written-9.step-000000004/mine.txt"]
    for name in (*leftovers, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".half-written-3.link").symlink_to("elsewhere")
    folder = RunFolder(tmp_path, role="student")
    (tmp_path / "config.txt").write_text("")
    folder.open({}, fixed=set())
    folder.begin()
    assert not [name for name in leftovers if (tmp_path / name).exists()]
    assert not (tmp_path / "checkpoints/pixel/.half-written-12.step-000000004").exists()
    assert all((tmp_path / name).exists() for name in [*others, ".half-written-3.link/x"])
    with pytest.raises(UserError, match="another process is training there"):
        RunFolder(tmp_path, role="student").open({}, fixed=set())
    folder.close()
    RunFolder(tmp_path, role="student").open({}, fixed=set())


def test_kept_weights_that_are_damaged_are_one_line(tmp_path):
    """Of a phase that is under way: whatever h5py and Keras raise for it."""
    train(tmp_path, steps=(4,))
    kept = tmp_path / "student.phase_0.weights.h5"
    content = kept.read_bytes()
    rng = np.random.default_rng(0)
    model = models.build_generator("compact_xs", depth=1, width=4)
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 40):
            damaged[place] = rng.integers(256)
        kept.write_bytes(damaged)
        with suppress(UserError):
            _fill(model, kept)
