"""G2G with feature affinity (FA): G2G, and the student's features relate the parts of a picture as the teacher's do.

The student's loss is C + 1e-3 K + 1e-3 F, F the mean absolute difference between the two networks' matrices of cosines between the features at
every two places of a crop, so that the networks need not be equally wide. The features are those from which each network makes its picture.

Source: He et al., "FAKD: Feature-Affinity Based Knowledge Distillation for Efficient Image Super-Resolution", ICIP 2020, which compares several
layers of two deep networks with L1 terms beside; here the terms beside are G2G's, one layer is compared, and the weight is our choice.

    python -m transfer.g2g_fa      is      python distill.py --method g2g_fa
"""

import tensorflow as tf

from losses.affinity import feature_affinity_loss
from training.updates import apply_gradients, weighted_sum
from transfer.parts import imitation_loss, transfer_phase

TEACHER_PHASE = "pixel"
PUBLISHED = {"content_weight": 1.0, "kd_weight": 1e-3, "affinity_weight": 1e-3}


class FeatureAffinityStep:
    """One update of the student: copy the teacher's picture and the relations within its features, while keeping to the original.

    weights: of the terms content, imitation and affinity. The rest as in `transfer.g2g.G2GStep`.
    """

    def __init__(self, *, teacher, student, optimizer, content_loss, weights):
        self.teacher, self.student, self.optimizer = teacher, student, optimizer
        self.content_loss, self.weights = content_loss, weights
        self.state = {"student": student, "optimizer": optimizer}

    def __call__(self, lr, hr):
        """Lr (B, h, w, 3), hr (B, scale·h, scale·w, 3), both float32 in [0, 1]."""
        features_teacher = self.teacher.features(lr, training=False)
        sr_teacher = self.teacher.enlarge(features_teacher, lr)
        with tf.GradientTape() as tape:
            features = self.student.features(lr, training=True)
            sr = self.student.enlarge(features, lr)
            terms = {
                "content": self.content_loss(hr, sr),
                "imitation": imitation_loss(sr_teacher, sr),
                "affinity": feature_affinity_loss(features_teacher, features),
            }
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.weights))
        apply_gradients(self.optimizer, tape, loss, self.student)
        return terms


def phases(parts):
    """One phase: the transfer."""
    step = FeatureAffinityStep(
        teacher=parts.teacher,
        student=parts.student,
        optimizer=parts.new_optimizer(parts.student, parts.steps),
        content_loss=parts.content_loss,
        weights={
            "content": parts.content_weight,
            "imitation": parts.kd_weight,
            "affinity": parts.affinity_weight,
        },
    )
    return [transfer_phase(parts, step)]


if __name__ == "__main__":
    from transfer.command import main

    main("g2g_fa")
