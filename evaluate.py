"""Compare models side by side: quality, size and speed.

Without flags: bicubic, the teacher of runs/teacher, the newest student under runs/ and its TFLite file, on the validation images that the
student's run kept aside. Writes tables (report.json, .md, .csv, pictures.csv), a chart of quality against latency and comparison.png, a
labelled sheet of crops, into --output. docs/evaluation.md explains every figure.

  --ledger RUNS...        what knowledge transfer gained over training alone, with confidence intervals
  --interpolate=A,B       a sweep of network interpolation between two weight files
  --min_psnr, --max_drop, --max_ms_ratio    gates: exit status 3 when one is missed; 1 when something could not be measured
"""

from cli import app
from errors import UserError
from settings.evaluation import Evaluate


def main(settings: Evaluate, words: list[str]) -> int:
    """Make the table that the settings ask for. words: more runs for --ledger. Returns the exit status."""
    if settings.tables.ledger:
        from evaluation.ledger import write_ledger  # TensorFlow takes seconds to import: a typo need not wait for it

        return write_ledger(settings, [*settings.tables.ledger, *words])
    if words:
        raise UserError(f"{words[0]!r} is no flag; flags begin with --")
    if settings.tables.interpolate:
        from evaluation.sweep import sweep

        return sweep(settings)
    from evaluation.comparison import compare

    return compare(settings)


if __name__ == "__main__":
    app.run(main, Evaluate(), description=__doc__, operands=True)
