"""``python -m gc_ref.conformance``: the command ``gc-ref`` of this very Python."""

import sys

from gc_ref.conformance._cli import main

if __name__ == "__main__":
    sys.exit(main())
