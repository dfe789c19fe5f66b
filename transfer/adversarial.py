"""Adversarial: the student has to pass for the teacher before the teacher's own critic.

The student's loss is 0.05 · VGG(HR, S) + 1e-4 · RaGAN(T as real, S as fake) + (1 - 1e-4) · MSE(T, S), MSE in 8-bit levels squared. The critic is the
discriminator that the teacher was trained against (discriminator.weights.h5 in the teacher's run), and goes on training, on T against S.
In the public code it ran with its batch statistics frozen; here it trains as it did before.

Start from a student of `transfer.comparative` (`--init=runs/comparative`), as was meant there: its code never loaded it.

Source: the public compressed ESRGAN (captain-pool/GSOC), after Aguinaldo et al., arXiv:1902.00159, section 3.2 (the joint loss).

    python -m transfer.adversarial      is      python distill.py --method adversarial
"""

import tensorflow as tf

from training.updates import apply_gradients, weighted_sum
from transfer.parts import adversarial_phase, imitation_loss

TEACHER_PHASE = "adversarial"
PUBLISHED = {
    "content_weight": 0.05 * 12.75**2,  # published for features as they are; our content loss divides them by 12.75
    "kd_weight": 1 - 1e-4,
    "adversarial_weight": 1e-4,
    "adversarial_loss": "relativistic",
    "before_activation": True,
}


class AdversarialTransferStep:
    """One update of the student and of the teacher's critic.

    adversary: a `training.adversary.Adversary` that holds the critic. weights: of the terms content, imitation and adversarial.
    The rest as in `transfer.g2g.G2GStep`.
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
                "adversarial": self.adversary.generator_loss(real=sr_teacher, fake=sr),
            }
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.weights))
        apply_gradients(self.optimizer, tape, loss, self.student)
        return {**terms, "discriminator": self.adversary.update(real=sr_teacher, fake=sr)}


def phases(parts):
    """One phase, at the learning rate of adversarial phases."""
    optimizer = parts.new_optimizer(parts.student, parts.steps, adversarial=True)
    adversary = parts.teacher_adversary(parts.steps)
    step = AdversarialTransferStep(
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
    return [adversarial_phase(parts, step, steps=parts.steps)]


if __name__ == "__main__":
    from transfer.command import main

    main("adversarial")
