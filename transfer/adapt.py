"""Adapt: a finished student learns your app's images, which have no originals; a teacher's images
of them are the labels.

The student's loss is the pixel term (--pixel_loss) between its image and the label. The teacher
sees each image under --lr_dir once, and whole; its images are kept in --cache_dir. With --hr_dir,
so that nothing is forgotten, --labelled_share of every batch comes from originals, made small by
--degradation, whose labels they are themselves. The student begins with its shipped weights
(--init) and takes small steps. It is validated on images held out of --lr_dir, against the
teacher's, or on the originals of --valid_dir.

Sources: Buciluă et al., "Model compression", KDD 2006 (a large model labels what nobody has
labelled); Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal", Connection Science
7(2), 1995 (what was learnt before stays in the batch). Rate and length are our choice.

    python -m transfer.adapt --lr_dir=MY_IMAGES      is      python distill.py --method adapt --lr_dir=MY_IMAGES
"""

from collections.abc import Callable

import data
from data import Mixture, PictureStore
from errors import UserError
from settings.pictures import Pictures
from settings.transfer import Distill
from training.loop import Phase
from training.step import pixel
from transfer.command import run
from transfer.job import Method, TransferJob
from transfer.teacher import Teacher

PUBLISHED = {"init": "shipped", "optimizer": "muon", "learning_rate": 5e-4, "steps": 10_000}


def phases(job: TransferJob) -> list[Phase]:
    """One phase: the transfer."""
    return [job.phase("transfer", [pixel(1.0, job.pixel_loss)], steps=job.steps)]


def images(settings: Distill, teacher: Teacher) -> Callable[[Pictures, str], PictureStore | Mixture]:
    """`f(images, split)`: the images of a run with the teacher's for labels, for training beside
    the originals of --hr_dir.

    teacher: one with `labels`. Raises UserError for a share of the batch that cannot be.
    """
    share, training = settings.transfer.labelled_share or 0.0, settings.training
    if share and not settings.pictures.hr_dir:
        raise UserError(f"--labelled_share={share:g}: of which originals? Name their folder, --hr_dir")
    if share:
        data.labelled_rows(training.batch_size, share)

    def open_pictures(pictures: Pictures, split: str) -> PictureStore | Mixture:
        store = data.open_pictures(pictures, split, originals=False)
        if split == "train":
            data.check_patch_size(store, training.patch_size)
        if not store.originals:  # validation may have some
            store = store.with_labels(teacher.pictures(store).pixels)
        if split != "train" or not share:
            return store
        return Mixture(store, data.open_pictures(data.labelled_part(pictures), "train"), share)

    return open_pictures


METHOD = Method("adapt", teacher="pixel", published=PUBLISHED, phases=phases, images=images)

if __name__ == "__main__":
    run(METHOD)
