"""Network interpolation: a dial between fidelity and realism (ESRGAN, arXiv:1809.00219, section 3.4).

theta = (1 - strength) theta_fidelity + strength theta_perceptual, over all weights of two networks of one form, the second of
which was trained on from the first.
"""

from pathlib import Path

import weights
from errors import UserError

# The phases of a run that end in fidelity to the original, the latest first.
FIDELITY_PHASES = ("transfer", "pixel")
PERCEPTUAL_PHASE = "adversarial"


def phase_files(run):
    """(fidelity, perceptual) weight files of a run folder or a shipped network. Raises UserError when it lacks one."""
    run = Path(run)
    if not run.exists() and (files := weights.fidelity_and_perceptual(run)):
        return files
    for role in ("student", "teacher"):
        perceptual = run / f"{role}.{PERCEPTUAL_PHASE}.weights.h5"
        for phase in FIDELITY_PHASES:
            fidelity = run / f"{role}.{phase}.weights.h5"
            if fidelity.is_file() and perceptual.is_file():
                return fidelity, perceptual
    both = [name for name in weights.names() if weights.keras_file(name + weights.PERCEPTUAL)]
    raise UserError(
        f"--strength: {run} does not hold the weights of two phases (student.transfer.weights.h5 and student.adversarial.weights.h5, "
        f"say); it takes a run folder that went through both, or a shipped network with both trainings: {', '.join(both)}"
    )


def interpolated(fidelity, perceptual, strength):
    """The generator between two weight files; strength 0: the first, 1: the second.

    Raises UserError when a file is damaged, or the two hold networks of different form.
    """
    from models import load_generator  # brings Keras

    if not 0 <= strength <= 1:
        raise UserError(f"--strength={strength}: must be from 0 to 1")
    model, other = load_generator(fidelity), load_generator(perceptual)
    if type(model) is not type(other) or model.get_config() != other.get_config():
        raise UserError(f"--strength: {fidelity} and {perceptual} hold networks of different form")
    model.set_weights(
        [
            (1 - strength) * first + strength * second
            for first, second in zip(model.get_weights(), other.get_weights(), strict=True)
        ]
    )
    return model
