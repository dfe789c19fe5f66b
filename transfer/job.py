"""What a transfer method is, and what its phases are made of."""

from collections.abc import Callable
from dataclasses import dataclass

from data import Mixture, PictureStore
from runs import find_discriminator
from settings.pictures import Pictures
from settings.transfer import Distill
from training.job import Job
from training.loop import Phase
from training.step import Term, adversarial, adversarial_to_teacher, affinity, content, imitation
from transfer.teacher import Teacher


@dataclass(frozen=True)
class TransferJob(Job):
    """A job with a teacher: its terms carry the weights of the settings, which are the published
    ones unless a flag says otherwise.
    """

    settings: Distill
    role: str = "student"

    @property
    def steps(self) -> int:
        """Updates of the transfer."""
        return self.settings.training.steps

    @property
    def adversarial_steps(self) -> int:
        """Updates of adversarial learning after it."""
        return self.settings.losses.adversarial_steps

    @property
    def jointly(self) -> bool:
        """Whether adversarial learning (AL) happens in one phase with the transfer."""
        return self.settings.transfer.al == "jointly"

    def content(self) -> Term:
        """C, the distance to the original."""
        return content(self.settings.losses.content_weight, self.content_loss)

    def imitation(self) -> Term:
        """K, the distance to the teacher's image."""
        return imitation(self.settings.transfer.kd_weight)

    def affinity(self) -> Term:
        """F, the difference between the networks' features in how they relate the parts of an
        image.
        """
        return affinity(self.settings.transfer.affinity_weight)

    def adversarial(self, *, steps: int) -> Term:
        """A: a new discriminator learns to tell originals from the student's images."""
        return adversarial(self.settings.losses.adversarial_weight, self.new_adversary(steps))

    def second_adversarial(self, *, steps: int) -> Term:
        """A2: a second new discriminator learns to tell the teacher's images from the student's."""
        return adversarial_to_teacher(self.settings.losses.adversarial_weight, self.new_adversary(steps), second=True)

    def teachers_discriminator(self, *, steps: int) -> Term:
        """A with the discriminator that the teacher was trained against; it now takes the teacher's
        images for real.
        """
        critic = self.load_adversary(find_discriminator(self.settings.transfer.teacher), steps)
        return adversarial_to_teacher(self.settings.losses.adversarial_weight, critic)


@dataclass(frozen=True)
class Method:
    """A transfer method.

    teacher: the phase of the teacher's training whose end it learns from, "content", "pixel" or
    "adversarial". published: the settings that its source has. phases: what a job trains. images:
    `f(settings, teacher)` gives `f(images, split)`, which opens the images of a method whose labels
    are the teacher's, as `data.open_pictures` does those of the others.
    """

    name: str
    teacher: str
    published: dict[str, float | str | bool]
    phases: Callable[[TransferJob], list[Phase]]
    images: Callable[[Distill, Teacher], Callable[[Pictures, str], PictureStore | Mixture]] | None = None
