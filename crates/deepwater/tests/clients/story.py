"""What the Python programs share: each step is a function that fails where something is not as it should be."""

import os
import sys
import traceback

URL = os.environ["DATABASE_URL"]


def tell(steps):
    """Runs the steps that the arguments name, or all; prints each as it succeeds."""
    wanted = sys.argv[1:] or list(steps)
    failed = False
    for name in wanted:
        try:
            steps[name]()
            print("good", name)
        except BaseException:
            traceback.print_exc()
            print("bad", name)
            failed = True
    sys.exit(1 if failed else 0)
