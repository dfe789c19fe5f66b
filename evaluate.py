"""Compare models side by side: quality, size and speed.

    python evaluate.py                                              bicubic, teacher, newest student and its TFLite file
    python evaluate.py --models=bicubic,compact_s,runs/g2g_al --benchmarks=Set5:PHOTOS/Set5
    python evaluate.py --models=new=runs/g2g_al,compact_s --baseline=compact_s --max_drop=0.1      a gate: exit status 3
    python evaluate.py --ledger runs/alone runs/g2g                 what knowledge transfer gained, with confidence intervals
    python evaluate.py --interpolate=A.weights.h5,B.weights.h5      a sweep between two weight files

Without --benchmarks it measures on the validation images of the student's run. It writes tables
(report.json, .md, .csv, pictures.csv), a chart of quality against latency and comparison.png, a
labelled sheet of crops, into --output. docs/evaluation.md explains every figure. The exit status is
1 where something could not be measured.
"""

from cli import app
from errors import UserError
from settings.evaluation import Evaluate


def main(settings: Evaluate, words: list[str]) -> int:
    """Make the table that the settings ask for. words: more runs for --ledger.

    Returns the exit status.
    """
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
