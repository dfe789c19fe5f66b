"""--cache_teacher and --teacher_images: the teacher's picture comes with the batch, and no teacher runs.

The methods' steps stay as they are: in place of the teacher they are given a `TeacherInBatch`, which answers a call with the picture that came
with the batch at hand.
"""

import hashlib
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
from absl import flags

from cli.networks import find_teacher
from data.orientations import ORIENTATIONS, inverse_orient, orient
from data.teacher_pictures import open_teacher_pictures, teacher_images
from errors import UserError
from inference import Upscaler
from models import load_generator

FLAGS = flags.FLAGS


class _NoSuchTeacherError(UserError, AttributeError):
    """An AttributeError too, so that `hasattr` goes on working."""


class TeacherInBatch:
    """Stands where a step expects its teacher. Raises UserError for a method that wants more of the teacher than its picture."""

    def __init__(self, scale):
        self.scale, self.trainable = scale, False
        self._now = threading.local()  # a strategy traces each replica in a thread of its own

    def __call__(self, lr, training=False):
        return self._now.picture

    def __getattr__(self, name):
        raise _NoSuchTeacherError(
            f"--cache_teacher, --teacher_images: this method looks inside its teacher ({name}); train it without these flags"
        )


class StepFromCache:
    """`step(lr, hr, sr_teacher)`: a method's `step(lr, hr)` whose `teacher` is a TeacherInBatch."""

    def __init__(self, step, teacher):
        self.step, self.teacher, self.state = step, teacher, step.state

    def __call__(self, lr, hr, sr_teacher):
        self.teacher._now.picture = sr_teacher
        return self.step(lr, hr)


class TeacherSource:
    """Where a run's teacher comes from: a network that runs at every step, or pictures (--cache_teacher, --teacher_images).

    phase: of the teacher's training whose end is wanted. guide: a weight file that takes the teacher's place. Raises UserError when there is
    no such teacher.
    """

    def __init__(self, *, phase, guide=None):
        self.file = None if FLAGS.teacher_images else guide or find_teacher(FLAGS.teacher, phase=phase)
        self.cached = bool(FLAGS.cache_teacher or FLAGS.teacher_images)
        if FLAGS.self_ensemble and (FLAGS.teacher_images or not FLAGS.cache_teacher):
            raise UserError("--self_ensemble: goes with --cache_teacher, and not with --teacher_images")
        self._network = None

    def load(self):
        """What the steps are given for a teacher."""
        if self.file is not None:
            self._network = load_generator(self.file)
            self._network.trainable = False
            if self._network.scale != FLAGS.scale:
                raise UserError(f"{self.file}: enlarges {self._network.scale} times, but --scale is {FLAGS.scale}")
        self.teacher = TeacherInBatch(FLAGS.scale) if self.cached else self._network
        return self.teacher

    def phases(self, phases):
        """The phases of a method, with steps that take the teacher's picture from the batch where it comes with it."""
        return [
            replace(phase, step=StepFromCache(phase.step, self.teacher)) if self.cached else phase for phase in phases
        ]

    def pictures(self, store):
        """The teacher's pictures of a store; None where the network runs."""
        if not self.cached:
            return None
        if FLAGS.teacher_images:
            return teacher_images(FLAGS.teacher_images, store, cache_dir=FLAGS.cache_dir)
        upscaler = Upscaler(self._network)

        def upscale(lr):
            lr = lr / np.float32(255.0)
            turns = range(ORIENTATIONS if FLAGS.self_ensemble else 1)
            return np.mean(
                [inverse_orient(upscaler.upscale(orient(lr, k)), k) for k in turns], axis=0, dtype=np.float32
            )

        digest = hashlib.sha256(Path(self.file).read_bytes()).hexdigest()
        return open_teacher_pictures(
            store,
            upscale=upscale,
            teacher_key=f"{digest} self_ensemble={FLAGS.self_ensemble} {FLAGS.precision}",
            cache_dir=FLAGS.cache_dir,
            dtype=FLAGS.cache_format,
        )
