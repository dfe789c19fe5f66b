"""Export a trained student as a TFLite file, proven against the student before it is kept.

    python export_tflite.py                                                   the newest student under runs/: student.tflite beside it
    python export_tflite.py --student=runs/g2g_al --quantize=int8             integers: student.int8.tflite
    python export_tflite.py --student=compact_s.int8 --height=180 --width=320 a copy of a finished file for one size, as delegates want it
    python export_tflite.py --check --student=srresnet                        does this network convert, and what would a phone run?

Beside the file stands a .json, which describes it and holds the proof. docs/export.md explains the
forms, docs/mobile.md what an app does with them.
"""

from cli import app
from errors import UserError
from runs import find_weights, finished_file, newest_student
from settings.files import ExportTflite


def main(settings: ExportTflite) -> int:
    """Write the file that the settings ask for, or with --check only look at the network.

    Returns the exit status.
    """
    export = settings.export
    if (export.height is None) != (export.width is None):
        raise UserError("--height and --width fix the input together: give both or neither")
    if export.saved_model:
        for name in ("height", "quantize", "output"):
            if name in settings.given:
                raise UserError(f"--{name}: of a .tflite file; --saved_model is in floats and takes any size")
    student = export.student or (None if export.check else newest_student())
    finished = None if export.check else finished_file(student)
    weights = None if export.check or finished else find_weights(student)
    from export.fixed_size import export_fixed_size
    from export.lint import check_by_name  # TensorFlow takes seconds to import: neither --help nor a typo waits for it
    from export.saved_model import export_saved_model
    from export.write import export_student

    if export.check:
        return check_by_name(export.student)
    if finished:
        export_fixed_size(settings, finished)
    elif export.saved_model:
        export_saved_model(weights, export.saved_model)
    else:
        export_student(settings, weights)
    return 0


if __name__ == "__main__":
    app.run(main, ExportTflite(), description=__doc__)
