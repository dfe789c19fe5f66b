"""Compare models side by side: quality, size and speed.

Without flags: bicubic, the teacher of runs/teacher, the newest student under runs/ and its TFLite file, on the validation pictures that the
student's run kept aside. Writes tables (report.json, .md, .csv, pictures.csv), a chart of quality against latency and comparison.png, a
labelled sheet of crops, into --output. docs/evaluation.md explains every figure.

  --ledger RUNS...        what knowledge transfer gained over training alone, with confidence intervals
  --interpolate=A,B       a sweep of network interpolation between two weight files
  --min_psnr, --max_drop, --max_ms_ratio    gates: exit status 3 when one is missed; 1 when something could not be measured
"""

from absl import flags

from cli import app
from cli.evaluation_flags import define_evaluation

FLAGS = flags.FLAGS

define_evaluation()
FLAGS.set_gnu_getopt()  # flags may follow the runs of --ledger


def main(words):
    """Choose the table that the flags ask for. Returns the exit status."""
    from errors import UserError

    if words and not FLAGS.ledger:
        raise UserError(f"{words[0]!r} is no flag; flags begin with --")
    if FLAGS.ledger:
        from cli.ledger import write_ledger

        return write_ledger([*FLAGS.ledger, *words])
    if FLAGS.interpolate:
        from cli.interpolation import sweep

        return sweep()
    from cli.evaluation import compare

    return compare()


if __name__ == "__main__":
    app.run(main, description=__doc__, operands=True)
