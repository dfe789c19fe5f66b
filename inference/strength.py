"""--strength: the network between fidelity and realism, from two phases of one run (see models/interpolation.py)."""

from pathlib import Path
from typing import Any

import weights
from errors import UserError
from runs import result_name

# The phases of a run that end in fidelity to the original, the latest first.
FIDELITY_PHASES = ("transfer", "pixel")
PERCEPTUAL_PHASE = "adversarial"


def phase_files(run: str | Path) -> tuple[Path, Path]:
    """(fidelity, perceptual) weight files of a run folder or a shipped network. Raises UserError when it lacks one."""
    run = Path(run)
    if not run.exists() and weights.of_one_form(str(run)) and (files := weights.fidelity_and_perceptual(str(run))):
        return files
    for role in ("student", "teacher"):
        perceptual = run / result_name(role, PERCEPTUAL_PHASE)
        for phase in FIDELITY_PHASES:
            fidelity = run / result_name(role, phase)
            if fidelity.is_file() and perceptual.is_file():
                return fidelity, perceptual
    both = [name for name in weights.names() if not name.endswith(weights.PERCEPTUAL) and weights.of_one_form(name)]
    raise UserError(
        f"--strength: {run} does not hold the weights of two phases (student.transfer.weights.h5 and student.adversarial.weights.h5, "
        f"say); it takes a run folder that went through both, or a shipped network with both trainings of one form: {', '.join(both)}"
    )


def interpolated(fidelity: str | Path, perceptual: str | Path, strength: float) -> Any:
    """The generator between two weight files; strength 0: the first, 1: the second. Raises UserError as `models.interpolation`."""
    from models.interpolation import interpolate  # brings Keras

    return interpolate(fidelity, perceptual, alpha=strength)
