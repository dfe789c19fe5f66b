"""Train a student without a teacher: the baseline that knowledge transfer is measured against.

    python train_student.py --dataset=folder --hr_dir=PHOTOS       compact_s, on your photographs
    python train_student.py --student=compact_s --init=shipped     go on from a shipped network
    python train_student.py --budget_ms=10                         the largest that runs within 10 ms here
    python train_student.py --flagfile=recipes/fast_srgan.txt      a published system

The result is runs/student/student.weights.h5.
"""

from dataclasses import fields
from pathlib import Path

from cli import app
from errors import UserError
from runs import CONFIG, read_config
from settings.fields import as_text
from settings.training import TrainStudent


def main(settings: TrainStudent) -> None:
    """Build the network, train it, write the report."""
    from data import check_pictures  # imports stand here so that neither --help nor a mistake waits for TensorFlow

    check_pictures(settings.pictures)
    from models import clone
    from training.job import Job, new_generator, phases_without_teacher
    from training.trainer import open_run, train

    if settings.budget.budget_ms is not None:
        if settings.machine.strategy == "multiworker":
            raise UserError(
                "--budget_ms: each worker would choose another size; choose on one machine, then give --depth and --width"
            )
        settings = _chosen_by_budget(settings)
    with open_run(settings, role="student") as folder:
        name = settings.network.student
        model = new_generator(settings, name)
        phases = phases_without_teacher(Job(settings, model, clone(model)))
        train(settings, folder, phases, student=name, parameters=model.count_params(), method="alone")


def _chosen_by_budget(settings: TrainStudent) -> TrainStudent:
    """With --student, --depth and --width as this run chose them before, or by measuring now."""
    from export.budget import budget_table, largest_within, measure_candidates

    budget = settings.budget
    config = Path(settings.run.run_dir) / CONFIG
    before = read_config(config) if config.is_file() and not settings.run.new_run else {}
    sizes = [before.get(name, "") for name in ("depth", "width")]
    same = all(before.get(item.name) == as_text(getattr(budget, item.name)) for item in fields(budget))
    if same and all(map(str.isdecimal, sizes)):
        return settings.with_values(student="compact_s", depth=int(sizes[0]), width=int(sizes[1]))
    rows = measure_candidates(height=budget.budget_height, width=budget.budget_width, scale=settings.pictures.scale)
    chosen = largest_within(rows, budget.budget_ms)
    print(budget_table(rows, chosen))
    return settings.with_values(student="compact_s", depth=chosen.depth, width=chosen.width)


if __name__ == "__main__":
    app.run(main, TrainStudent(), description=__doc__)
