"""Teach a student from a teacher; --method chooses the transfer. The work is in `transfer/`."""

from cli import app
from settings.training import Distill


def main(settings: Distill) -> None:
    """Run the method that the settings name."""
    from transfer.command import distill  # TensorFlow takes seconds to import: --help and a typo need not wait for it
    from transfer.methods import METHODS

    distill(settings, METHODS[settings.transfer.method])


if __name__ == "__main__":
    app.run(main, Distill(), description=Distill.__doc__)
