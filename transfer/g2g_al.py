"""G2G+AL: G2G, then adversarial learning (AL) of the student. The study's best method.

Transfer as in G2G from a pixel-trained teacher, and a discriminator of the student's own, new, that tells originals from the student's pictures:
C + 1e-3 K + 1e-3 A. With `--al=after` (the paper) the adversarial phase follows the transfer; with `--al=jointly` (its code) there is one phase
with all three terms.

Source: as `transfer.g2g`.

    python -m transfer.g2g_al      is      python distill.py --method g2g_al
"""

import tensorflow as tf

from training.updates import apply_gradients, weighted_sum
from transfer import g2g
from transfer.parts import adversarial_phase, imitation_loss

TEACHER_PHASE = "pixel"
PUBLISHED = {"content_weight": 1.0, "kd_weight": 1e-3, "adversarial_weight": 1e-3}


class G2GAdversarialStep:
    """One update of the student and of its discriminator: keep to original and teacher, and pass for an original.

    adversary: a `training.adversary.Adversary`. weights: of the terms content, imitation and adversarial. The rest as in `G2GStep`.
    """

    def __init__(self, *, teacher, student, optimizer, adversary, content_loss, weights):
        self.teacher, self.student, self.optimizer, self.adversary = teacher, student, optimizer, adversary
        self.content_loss, self.weights = content_loss, weights
        self.state = {"student": student, "optimizer": optimizer, **adversary.state}

    def __call__(self, lr, hr):
        """Lr (B, h, w, 3), hr (B, scale·h, scale·w, 3), both float32 in [0, 1]."""
        sr_teacher = self.teacher(lr, training=False)
        with tf.GradientTape() as tape:
            sr = self.student(lr, training=True)
            terms = {
                "content": self.content_loss(hr, sr),
                "imitation": imitation_loss(sr_teacher, sr),
                "adversarial": self.adversary.generator_loss(real=hr, fake=sr),
            }
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.weights))
        apply_gradients(self.optimizer, tape, loss, self.student)
        return {**terms, "discriminator": self.adversary.update(real=hr, fake=sr)}


def phases(parts, *, keep="best"):
    """The transfer, then the adversarial phase; or one phase with all terms where parts.al is "jointly".

    keep: of the transfer, as in `transfer_phase`.
    """
    if parts.al == "jointly":
        return [_adversarial_phase(parts, parts.steps)]
    return [*g2g.phases(parts, keep=keep), _adversarial_phase(parts, parts.adversarial_steps)]


def _adversarial_phase(parts, steps):
    optimizer, adversary = parts.new_optimizer(parts.student, steps, adversarial=True), parts.new_adversary(steps)
    step = G2GAdversarialStep(
        teacher=parts.teacher,
        student=parts.student,
        optimizer=optimizer,
        adversary=adversary,
        content_loss=parts.content_loss,
        weights={
            "content": parts.content_weight,
            "imitation": parts.kd_weight,
            "adversarial": parts.adversarial_weight,
        },
    )
    return adversarial_phase(parts, step, steps=steps)


if __name__ == "__main__":
    from transfer.command import main

    main("g2g_al")
