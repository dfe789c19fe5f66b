"""Teach a student from a teacher; --method chooses the transfer. The work is in `transfer/`."""

from transfer.command import main

if __name__ == "__main__":
    main()
