"""Teach a student from a teacher; --method chooses the transfer. The work is in `transfer/`."""

from cli import app
from settings.transfer import Distill


def main(settings: Distill) -> None:
    """Run the method that the settings name."""
    from data import check_pictures  # imports stand here: neither --help nor a mistake waits for TensorFlow

    check_pictures(settings.pictures, originals=settings.transfer.method != "adapt", downloads=False)
    from transfer.command import distill
    from transfer.methods import METHODS

    distill(settings, METHODS[settings.transfer.method])


if __name__ == "__main__":
    app.run(main, Distill(), description=Distill.__doc__)
