"""G2G: from a pixel-trained teacher generator to the student generator.

The student's loss is C + 1e-3 K: C the content loss against the original, K the squared difference to the teacher's picture in 8-bit levels.
The teacher is the one from before its GAN phase. No discriminator.

Source: the Korean study of lightening SRGAN by knowledge distillation (2021) and its public code.

    python -m transfer.g2g      is      python distill.py --method g2g
"""

import tensorflow as tf

from training.updates import apply_gradients, weighted_sum
from transfer.parts import imitation_loss, transfer_phase

TEACHER_PHASE = "pixel"
PUBLISHED = {"content_weight": 1.0, "kd_weight": 1e-3}


class G2GStep:
    """One update of the student: copy the teacher's picture while keeping to the original.

    teacher, student: generators; the teacher is never changed. content_loss: `f(hr, sr)`. weights: of the terms content and imitation.
    """

    def __init__(self, *, teacher, student, optimizer, content_loss, weights):
        self.teacher, self.student, self.optimizer = teacher, student, optimizer
        self.content_loss, self.weights = content_loss, weights
        self.state = {"student": student, "optimizer": optimizer}  # the teacher never changes: not saved

    def __call__(self, lr, hr):
        """Lr (B, h, w, 3), hr (B, scale·h, scale·w, 3), both float32 in [0, 1]."""
        sr_teacher = self.teacher(lr, training=False)
        with tf.GradientTape() as tape:
            sr = self.student(lr, training=True)
            terms = {"content": self.content_loss(hr, sr), "imitation": imitation_loss(sr_teacher, sr)}
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.weights))
        apply_gradients(self.optimizer, tape, loss, self.student)
        return terms


def phases(parts, *, keep="best"):
    """One phase: the transfer. keep: as in `transfer_phase`."""
    step = G2GStep(
        teacher=parts.teacher,
        student=parts.student,
        optimizer=parts.new_optimizer(parts.student, parts.steps),
        content_loss=parts.content_loss,
        weights={"content": parts.content_weight, "imitation": parts.kd_weight},
    )
    return [transfer_phase(parts, step, keep=keep)]


if __name__ == "__main__":
    from transfer.command import main

    main("g2g")
