"""Comparative: the student copies the teacher's picture, and nothing else counts.

The student's loss is MSE(T, S), for the GAN-trained teacher, in 8-bit levels squared as its source has them. The original is not looked at in
training; validation still measures against it.

Source: the public compressed ESRGAN (captain-pool/GSOC), after Aguinaldo et al., "Compressing GANs using Knowledge Distillation",
arXiv:1902.00159, section 3.1.

    python -m transfer.comparative      is      python distill.py --method comparative
"""

import tensorflow as tf

from training.updates import apply_gradients, weighted_sum
from transfer.parts import imitation_loss, transfer_phase

TEACHER_PHASE = "adversarial"
PUBLISHED = {"kd_weight": 1.0}


class ComparativeStep:
    """One update of the student: copy the teacher's picture. weights: of the term imitation."""

    def __init__(self, *, teacher, student, optimizer, weights):
        self.teacher, self.student, self.optimizer, self.weights = teacher, student, optimizer, weights
        self.state = {"student": student, "optimizer": optimizer}

    def __call__(self, lr, hr):
        """Lr (B, h, w, 3) float32 in [0, 1]; hr is not used."""
        sr_teacher = self.teacher(lr, training=False)
        with tf.GradientTape() as tape:
            terms = {"imitation": imitation_loss(sr_teacher, self.student(lr, training=True))}
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.weights))
        apply_gradients(self.optimizer, tape, loss, self.student)
        return terms


def phases(parts):
    """One phase: the transfer."""
    step = ComparativeStep(
        teacher=parts.teacher,
        student=parts.student,
        optimizer=parts.new_optimizer(parts.student, parts.steps),
        weights={"imitation": parts.kd_weight},
    )
    return [transfer_phase(parts, step, keep="last")]


if __name__ == "__main__":
    from transfer.command import main

    main("comparative")
