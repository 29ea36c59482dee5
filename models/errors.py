"""What a user gave cannot be used: one error class, and the exit code of every command."""

import functools
import sys


class InputError(ValueError):
    """Something the user gave cannot be used; the message names it and what would be accepted."""


def exit_code(main):
    """Decorate a command's `main(argv)` so that a user's mistake is one line and exit code 2.

    InputError and OSError (missing file, full or read-only disk) are printed on stderr as
    `error: ...`; any other exception is a fault of ours and keeps its traceback. An interrupt by
    the user gives 130, the shell's own code for it.
    """

    @functools.wraps(main)
    def guarded(argv=None):
        try:
            return main(argv) or 0
        except (InputError, OSError) as error:
            print("error: " + " ".join(str(error).split()), file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("interrupted: the same command goes on from here", file=sys.stderr)
            return 130

    return guarded
