"""GAN2GAN: GAN2G+AL with a second discriminator, which tells the teacher's pictures from the student's.

The student's loss is C + 1e-3 K + 1e-3 A + 1e-3 A2: A from the discriminator that takes originals for real, A2 from the one that takes the
GAN-trained teacher's pictures for real. In the public code the second one was trained, but never entered the student's loss; here it does.

Source: as `transfer.g2g`. `--al` as in `transfer.g2g_al`.

    python -m transfer.gan2gan      is      python distill.py --method gan2gan
"""

import tensorflow as tf

from training.updates import apply_gradients, weighted_sum
from transfer import g2g
from transfer.parts import adversarial_phase, imitation_loss

TEACHER_PHASE = "adversarial"
PUBLISHED = {"content_weight": 1.0, "kd_weight": 1e-3, "adversarial_weight": 1e-3}


class GAN2GANStep:
    """One update of the student and of its two discriminators: pass for an original, and for the teacher's work.

    adversary, teacher_adversary: `training.adversary.Adversary`, against originals and against the teacher's pictures.
    weights: of the terms content, imitation, adversarial and adversarial_teacher. The rest as in `transfer.g2g.G2GStep`.
    """

    def __init__(self, *, teacher, student, optimizer, adversary, teacher_adversary, content_loss, weights):
        self.teacher, self.student, self.optimizer = teacher, student, optimizer
        self.adversary, self.teacher_adversary = adversary, teacher_adversary
        self.content_loss, self.weights = content_loss, weights
        second = {f"teacher_{name}": item for name, item in teacher_adversary.state.items()}
        self.state = {"student": student, "optimizer": optimizer, **adversary.state, **second}

    def __call__(self, lr, hr):
        """Lr (B, h, w, 3), hr (B, scale·h, scale·w, 3), both float32 in [0, 1]."""
        sr_teacher = self.teacher(lr, training=False)
        with tf.GradientTape() as tape:
            sr = self.student(lr, training=True)
            terms = {
                "content": self.content_loss(hr, sr),
                "imitation": imitation_loss(sr_teacher, sr),
                "adversarial": self.adversary.generator_loss(real=hr, fake=sr),
                "adversarial_teacher": self.teacher_adversary.generator_loss(real=sr_teacher, fake=sr),
            }
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.weights))
        apply_gradients(self.optimizer, tape, loss, self.student)
        return {
            **terms,
            "discriminator": self.adversary.update(real=hr, fake=sr),
            "discriminator_teacher": self.teacher_adversary.update(real=sr_teacher, fake=sr),
        }


def phases(parts):
    """The transfer, then the adversarial phase; or one phase with all terms where parts.al is "jointly"."""
    if parts.al == "jointly":
        return [_adversarial_phase(parts, parts.steps)]
    return [*g2g.phases(parts, keep="last"), _adversarial_phase(parts, parts.adversarial_steps)]


def _adversarial_phase(parts, steps):
    optimizer = parts.new_optimizer(parts.student, steps, adversarial=True)
    adversary, teacher_adversary = parts.new_adversary(steps), parts.new_adversary(steps)
    step = GAN2GANStep(
        teacher=parts.teacher,
        student=parts.student,
        optimizer=optimizer,
        adversary=adversary,
        teacher_adversary=teacher_adversary,
        content_loss=parts.content_loss,
        weights={
            "content": parts.content_weight,
            "imitation": parts.kd_weight,
            "adversarial": parts.adversarial_weight,
            "adversarial_teacher": parts.adversarial_weight,
        },
    )
    return adversarial_phase(parts, step, steps=steps)


if __name__ == "__main__":
    from transfer.command import main

    main("gan2gan")
