"""`python -m basis_melgan` is the command `basis-melgan`."""

import sys

from basis_melgan.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
