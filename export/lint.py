"""Does an architecture convert, and what would a phone's runtimes (XNNPACK, the GPU delegate) make
of it? In seconds, without weights.
"""

from dataclasses import dataclass

import keras
import numpy as np

from errors import UserError
from export.graph import GPU_SOURCE, float_operations, gpu_refusals, operations, outside_xnnpack
from export.tflite import convert
from models import GENERATORS, build_generator, load_generator
from runs import find_weights, newest_student

# Why XNNPACK leaves an operation to the slower built-in kernels, where its documentation says so.
REASONS = {
    "TILE": "XNNPACK has no TILE; CONCATENATION of up to five copies does the same",
    "MINIMUM": "XNNPACK runs MINIMUM in floats only",
    "QUANTIZE": "the change between uint8 and int8 at the ends; cheap",
    "TRANSPOSE_CONV": "XNNPACK takes TRANSPOSE_CONV only with constant weights and known sizes",
    "PRELU": "XNNPACK runs PRELU in floats only",
    "LEAKY_RELU": "quantised LEAKY_RELU needs slopes within XNNPACK's range",
}


@dataclass
class Finding:
    """What conversion in one form came to.

    refused: the reason, or None. outside: operations left to built-in kernels. floats: float
    islands. gpu: what the GPU delegate refuses.
    """

    form: str
    refused: str | None
    operations: list[str]
    outside: list[str]
    floats: list[str]
    gpu: list[str]


def check_by_name(student: str | None) -> int:
    """Print what `check` finds. Returns 1 where the network converts in no form, else 0.

    student: a network of the catalogue, or what `find_weights` takes; None for the newest student.
    """
    model = (
        build_generator(student) if student in GENERATORS else load_generator(find_weights(student or newest_student()))
    )
    findings = check(model)
    print("\n".join(report(findings)))
    return 1 if all(finding.refused for finding in findings) else 0


def check(model: keras.Model, *, size: tuple[int, int] = (64, 64)) -> list[Finding]:
    """A `Finding` for float32 and one for int8. model: any generator, trained or not. size: input
    of the trial conversion.
    """
    rng = np.random.default_rng(0)
    noise = [rng.random((1, *size, 3), np.float32) for _ in range(2)]
    findings = []
    for form, quantize in (("XNNPACK float", "none"), ("XNNPACK int8", "int8")):
        try:
            content = convert(model, height=size[0], width=size[1], quantize=quantize, calibration=noise)
        except UserError as error:
            findings.append(Finding(form, str(error), [], [], [], []))
            continue
        floats = float_operations(content) if quantize == "int8" else []
        found = operations(content), outside_xnnpack(content), floats, gpu_refusals(content)
        findings.append(Finding(form, None, *found))
    return findings


def report(findings: list[Finding]) -> list[str]:
    """The findings as lines of text."""
    lines = []
    for finding in findings:
        if finding.refused:
            lines.append(f"{finding.form}: does not convert: {finding.refused}")
            continue
        kinds = ", ".join(f"{finding.operations.count(name)} {name}" for name in dict.fromkeys(finding.operations))
        inside = len(finding.operations) - len(finding.outside)
        lines.append(f"{finding.form}: converts; {inside} of {len(finding.operations)} operations in XNNPACK ({kinds})")
        for name in dict.fromkeys(finding.outside):
            reason = REASONS.get(name, "XNNPACK does not take it in this form")
            lines.append(f"  falls back: {finding.outside.count(name)} {name}: {reason}")
        if finding.floats:
            lines.append(f"  stays in floats: {', '.join(dict.fromkeys(finding.floats))}")
        lines += _on_gpu(finding)
    return lines


def _on_gpu(finding):
    for line in finding.gpu:
        yield f"  GPU delegate refuses {line}"
    if not finding.gpu:
        how = "it computes in floats all the same" if finding.form.endswith("int8") else "needs a file of fixed size"
        yield f"  GPU delegate: takes every operation, by the list of {GPU_SOURCE}; {how}"
