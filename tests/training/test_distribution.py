"""Several devices do what one does with the same batch.

Each test runs in processes of its own: devices are set up once per process.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import models
from errors import UserError
from training.distribution import make_strategy

ROOT = Path(__file__).parent.parent.parent

# One device against two: three updates of a GAN step with batch normalisation, accumulated or not;
# losses and weights to standard output.
COMPARE = """
import sys, json
import numpy as np, tensorflow as tf, keras
replicas, parts = int(sys.argv[1]), int(sys.argv[2])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
import models
from losses.adversarial import ADVERSARIAL_LOSSES
from losses.pixel import mae_loss
from training.adversary import Adversary
from training.distribution import make_strategy, synchronise_batch_statistics
from training.optimizers import make_optimizer, make_schedule
from training.step import Step, adversarial, content, pixel
from training.update import MovingAverage, Update
rng = np.random.default_rng(0)
data = [(rng.random((4, 8, 8, 3), np.float32), rng.random((4, 32, 32, 3), np.float32)) for _ in range(3)]
data[1][0][3] = np.nan if sys.argv[3] == "sick" else 0.5
with make_strategy("mirrored" if replicas > 1 else "single").scope():
    assert tf.distribute.get_strategy().num_replicas_in_sync == replicas
    keras.utils.set_random_seed(0)
    norms = [] if parts > 1 else [0]
    generator = models.build_generator("srresnet" if parts == 1 else "compact_xs", depth=1, width=8)
    average = models.clone(generator)
    critic = models.build_discriminator("srgan", size=32, filters=4, dense=8)
    def new_optimizer(model, name="adam"):
        schedule = make_schedule("constant", learning_rate=1e-3, steps=1)
        return make_optimizer(model, schedule=schedule, name=name, clip_norm=0.3)
    optimizer = new_optimizer(generator, sys.argv[4])
    adversary = Adversary(discriminator=critic, optimizer=new_optimizer(critic), loss=ADVERSARIAL_LOSSES["relativistic" if parts == 1 else "bce"])
    if parts > 1:
        for layer in critic.layers:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)  # parts have statistics of their own
    terms = [content(1.0, mae_loss), pixel(0.1, mae_loss), adversarial(0.1, adversary)]
    step = Step(generator=generator, optimizer=optimizer, terms=terms)
    for network in (generator, critic):
        synchronise_batch_statistics(network)
    mean = MovingAverage(model=generator, average=average, decay=0.9)
    update = Update(step, mean, parts=parts)
    terms = [update(tuple(map(tf.constant, batch))).numpy().tolist() for batch in data]
    weights = np.concatenate([w.ravel() for m in (generator, average, critic) for w in m.get_weights()]).tolist()
    iterations = int(optimizer.iterations.numpy()), int(optimizer.sick.numpy())
print(json.dumps([terms, weights, iterations]))
"""

# A tenth of one Adam update, which divides by the gradient's own size and so makes much of the
# rounding of a gradient near 0.
ROUNDING = 1e-4


def compare(replicas, *, parts=1, health="sound", optimizer="adam"):
    done = subprocess.run(
        [sys.executable, "-c", COMPARE, str(replicas), str(parts), health, optimizer],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    terms, weights, counts = json.loads(done.stdout.splitlines()[-1])
    return np.array(terms), np.array(weights), counts


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_two_devices_do_what_one_does(optimizer):
    """Relativistic losses look at the whole batch, batch normalisation too, and the norm of the
    gradient is that of the whole.
    """
    terms, weights, counts = compare(1, optimizer=optimizer)
    terms_2, weights_2, counts_2 = compare(2, optimizer=optimizer)
    np.testing.assert_allclose(terms_2, terms, rtol=2e-5)
    np.testing.assert_allclose(weights_2, weights, atol=ROUNDING)
    assert counts_2 == counts == [3, 0]


@pytest.mark.slow
def test_a_sick_row_on_one_device_stops_the_update_on_both():
    _, weights, counts = compare(1, health="sick")
    _, weights_2, counts_2 = compare(2, health="sick")
    assert counts_2 == counts == [2, 1]
    assert np.isfinite(weights_2).all()
    np.testing.assert_allclose(weights_2, weights, atol=ROUNDING)


def cluster(ports, index):
    workers = [f"127.0.0.1:{port}" for port in ports]
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def start_workers(folder, first, second=None):
    """Two processes; the second in a folder of its own, as on a machine that shares no disc.
    second: its command, where it is another.
    """
    ports, workers = free_ports(2), []
    for index in range(2):
        home = folder / f"worker{index}"
        home.mkdir(exist_ok=True)
        with open(home / "log.txt", "a") as log:
            environment = {**os.environ, "TF_CONFIG": cluster(ports, index)}
            command = (first, second or first)[index]
            workers.append(subprocess.Popen(command, cwd=home, env=environment, stderr=log, stdout=log))
    return workers


@pytest.mark.slow
def test_two_processes_one_killed_and_started_again_end_where_one_device_does(tmp_path):
    flags = [
        *(
            "--dataset=sample",
            "--content_loss=pixel",
            "--validation_size=64",
            "--validation_pictures=1",
            "--deterministic",
        ),
        *("--batch_size=4", "--patch_size=8", "--checkpoint_every=20", "--validate_every=50", "--log_every=5"),
        *("--student=compact_xs", "--depth=1", "--width=8", "--steps=200", "--schedule=constant"),
        # Muon enlarges directions of weak gradient, and with them the rounding of sums.
        *("--optimizer=adam", "--learning_rate=5e-4"),
        f"--cache_dir={tmp_path}/cache",
    ]
    command = [sys.executable, str(ROOT / "train_student.py"), *flags]
    single = tmp_path / "single"
    single.mkdir()
    subprocess.run(command, cwd=single, check=True, capture_output=True)
    command += ["--strategy=multiworker"]
    run = tmp_path / "worker0/runs/student"
    workers = start_workers(tmp_path, command)
    try:
        while not list(run.glob("checkpoints/pixel/step-00000004*")):
            assert all(worker.poll() is None for worker in workers), (tmp_path / "worker0/log.txt").read_text()
            time.sleep(0.01)
        workers[1].send_signal(signal.SIGKILL)
        assert workers[0].wait(timeout=120) != 0  # it notices, and does not hang
        workers[1].wait()
        workers = start_workers(tmp_path, command)
        assert [worker.wait(timeout=300) for worker in workers] == [0, 0], (tmp_path / "worker0/log.txt").read_text()
    finally:
        for worker in workers:
            worker.kill()
    assert "goes on from step" in (tmp_path / "worker0/log.txt").read_text()
    assert not (tmp_path / "worker1/runs").exists()
    expected = models.load_generator(single / "runs/student/student.weights.h5").get_weights()
    found = models.load_generator(run / "student.weights.h5").get_weights()
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)
    losses = [
        json.loads((folder / "report.json").read_text())["phases"][0]["metrics"]
        for folder in (run, single / "runs/student")
    ]
    assert losses[0]["psnr_y"] == pytest.approx(losses[1]["psnr_y"], abs=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((["--learning_rate=1e-3", "--steps=3"], ["--steps=4"]), "the workers differ in --steps, --learning_rate"),
        ((["--hr_dir={0}"], ["--hr_dir={1}"]), "the workers differ in training images"),
    ],
)
def test_workers_that_were_started_otherwise_are_refused_alike(tmp_path, flags, said):
    for i, count in enumerate((4, 5)):
        (tmp_path / f"images{i}").mkdir()
        for k in range(count):
            Image.new("RGB", (96, 96), (40 * k, 9, 9)).save(tmp_path / f"images{i}" / f"{k}.png")
    common = [
        *("--content_loss=pixel", "--validation_size=64", "--batch_size=4", "--patch_size=8", "--steps=2"),
        *("--student=compact_xs", "--depth=1", "--width=8", "--strategy=multiworker", f"--cache_dir={tmp_path}/cache"),
    ]
    dataset = ["--dataset=folder"] if "hr_dir" in flags[0][0] else ["--dataset=sample"]
    own = [[word.format(tmp_path / "images0", tmp_path / "images1") for word in words] for words in flags]
    commands = [[sys.executable, str(ROOT / "train_student.py"), *dataset, *common, *words] for words in own]
    workers = start_workers(tmp_path, *commands)
    try:
        assert [worker.wait(timeout=200) for worker in workers] == [1, 1]
    finally:
        for worker in workers:
            worker.kill()
    for index in range(2):
        last = (tmp_path / f"worker{index}/log.txt").read_text().splitlines()[-1]
        assert last.startswith(f"train_student.py: {said}"), last
    assert not (tmp_path / "worker0/runs").exists()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', "TF_CONFIG names no task"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": "x"}}', "cannot be set up"),
        ("{", "cannot be set up"),
    ],
)
def test_a_tf_config_that_is_none_is_one_line(config, said, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError, match=f"--strategy=multiworker: .*{said}") as caught:
        make_strategy("multiworker", worker_timeout=1)
    assert "\n" not in str(caught.value)
