"""The results of an evaluation in a run's TensorBoard: figures, the table, the pictures."""

import math

import numpy as np
import tensorflow as tf
from PIL import Image

from evaluation.report import markdown_table


def write_to_tensorboard(logs, evaluation, name, *, step, pictures):
    """Write the figures of model `name` as evaluation/<benchmark>/<measure>, the whole table as text, and picture files.

    logs: TensorBoard folder. step: where on the axis of the run's curves. pictures: paths of PNG files.
    """
    result = evaluation.models[name]
    writer = tf.summary.create_file_writer(str(logs))
    with writer.as_default(step=step):
        for benchmark, score in result.benchmarks.items():
            for measure in ("psnr", "ssim", "lpips", "lr_psnr"):
                value = getattr(score, measure)
                if value is not None and math.isfinite(value):
                    tf.summary.scalar(f"evaluation/{benchmark}/{measure}", value)
        if result.latency:
            tf.summary.scalar("evaluation/median_ms", result.latency.median_ms)
        tf.summary.text("evaluation", markdown_table(evaluation))
        for path in pictures:
            with Image.open(path) as image:
                tf.summary.image(f"evaluation/{path.stem}", np.asarray(image.convert("RGB"))[None])
    writer.close()
