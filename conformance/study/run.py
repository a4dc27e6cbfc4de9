"""Run the tutorial's experiment with pairs and repetitions; --help lists the options."""

import os
import sys

# Before anything imports them. The default network is so small that one thread is the fastest.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from gc_study.command import main

if __name__ == "__main__":
    sys.exit(main())
