"""The command behind distill.py and `python -m transfer.<method>`."""

from absl import flags

from cli import app, training_flags
from cli import flags as common

FLAGS = flags.FLAGS

METHOD_NAMES = ["g2g", "g2g_al", "gan2g", "gan2g_al", "gan2gan", "comparative", "adversarial", "g2g_fa"]

WEIGHTS = {
    "content_weight": "the content term",
    "kd_weight": "imitating the teacher's picture, for squared differences of 8-bit levels",
    "affinity_weight": "relating features as the teacher does",
}

DESCRIPTION = """Teach a student from a teacher: knowledge transfer between generators.

  g2g          imitate a pixel-trained teacher
  g2g_al       g2g, then adversarial learning of the student (the published study's best)
  gan2g        imitate a GAN-trained teacher
  gan2g_al     gan2g, then adversarial learning
  gan2gan      gan2g_al with a second discriminator, which tells the teacher's pictures from the student's
  comparative  copy a GAN-trained teacher's pictures, whatever the originals are
  adversarial  pass for the teacher before the teacher's own discriminator
  g2g_fa       g2g, and relate the parts of a picture as the teacher's features do

Weights without a value on the command line are those that the method's source published.

Reads the teacher that train_teacher.py left in runs/teacher; writes runs/<method>/student.weights.h5, which export_tflite.py, evaluate.py and
upscale.py find by themselves."""


def main(method=None):
    """Define the flags and run. method: fixed by `python -m transfer.<method>`; else --method chooses."""
    group = app.GROUP + "Transfer"
    if method is None:
        flags.DEFINE_enum(
            "method", "g2g_al", METHOD_NAMES, "How the teacher's knowledge is transferred.", module_name=group
        )
    flags.DEFINE_string(
        "teacher",
        "runs/teacher",
        "The teacher: a run folder, a weight file, or a shipped network by name.",
        module_name=group,
    )
    for name, term in WEIGHTS.items():
        flags.DEFINE_float(name, None, f"Weight of {term}, where the method has it.", 0.0, module_name=group)
    flags.DEFINE_enum(
        "al",
        "after",
        ["after", "jointly"],
        "Adversarial learning after the transfer (the paper), or in one phase with it (its code).",
        module_name=group,
    )
    flags.DEFINE_boolean(
        "qat",
        False,
        "Quantisation-aware fine-tuning of a finished compact student (--init, by default the run of --method), for export with --quantize=int8.",
        module_name=group,
    )
    flags.DEFINE_enum(
        "guide",
        "student",
        ["student", "teacher"],
        "Whom the quantised student imitates with --qat: its own float self, or the teacher.",
        module_name=group,
    )
    training_flags.define_teacher_cache()
    common.define_network("student", default="compact_s")
    common.define_pictures()
    training_flags.define_training(steps=100_000, learning_rate=5e-4, batch_size=16, patch_size=24)
    training_flags.define_losses(adversarial_steps=20_000)
    common.define_run(run_dir=None)
    app.run(lambda: distill(method or FLAGS.method), description=DESCRIPTION)


def distill(method):
    """Load the teacher, build the student, run the method's phases (or --qat's), write the report."""
    from cli import networks, training  # TensorFlow takes seconds to import: --help need not wait for it
    from models import clone
    from transfer import qat
    from transfer.methods import METHODS
    from transfer.parts import Parts
    from transfer.teacher_source import TeacherSource

    module = qat if FLAGS.qat else METHODS[method]
    _take(module.PUBLISHED)
    finished = networks.find_weights(FLAGS.init or f"runs/{method}") if FLAGS.qat else None
    FLAGS.run_dir = FLAGS.run_dir or (f"{finished.parent}_qat" if FLAGS.qat else f"runs/{method}")
    guide = finished if FLAGS.guide == "student" else None
    source = TeacherSource(phase=METHODS[method].TEACHER_PHASE, guide=guide)
    with training.open_run("student") as folder:
        teacher = source.load()
        student = _quantised(finished) if FLAGS.qat else training.new_generator(FLAGS.student)
        parts = Parts(
            teacher=teacher,
            student=student,
            average=clone(student),
            content_loss=training.content_loss() if "content_weight" in module.PUBLISHED else None,
            content_weight=FLAGS.content_weight,
            kd_weight=FLAGS.kd_weight,
            adversarial_weight=FLAGS.adversarial_weight,
            affinity_weight=FLAGS.affinity_weight,
            al=FLAGS.al,
            steps=FLAGS.steps,
            adversarial_steps=FLAGS.adversarial_steps,
            new_optimizer=training.new_optimizer,
            new_adversary=training.new_adversary,
            teacher_adversary=lambda steps: training.load_adversary(networks.find_discriminator(FLAGS.teacher), steps),
        )
        training.train(
            folder,
            source.phases(module.phases(parts)),
            teacher_pictures=source.pictures,
            student=FLAGS.student,
            parameters=student.count_params(),
            method=f"{method}+qat" if FLAGS.qat else method,
            teacher=str(source.file or FLAGS.teacher_images),
            **({"float_student": str(finished), "guide": FLAGS.guide} if FLAGS.qat else {}),
        )


def _take(published):
    """Give the flags that the command line leaves open the values that the method's source published."""
    for name, value in published.items():
        if not FLAGS[name].present:
            FLAGS[name].value = value


def _quantised(file):
    """The quantised form of the compact student in that weight file, its ranges those of the first training pictures."""
    from cli import networks, training
    from errors import UserError
    from export.calibration import calibration_pictures
    from models.quantized import QuantizedCompact

    student = networks.load_in_float32(file)
    if not hasattr(student, "fuse"):
        raise UserError(f"--init={file}: holds a {type(student).__name__}; --qat is for the compact students")
    store = training.open_store("train")
    pictures = [store.lr(i) for i in range(min(64, len(store)))]
    return QuantizedCompact.of(student, calibration_pictures(student, pictures, seed=FLAGS.seed))
