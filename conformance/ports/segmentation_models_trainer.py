"""pytorch-segmentation-models-trainer 1.0.1 ships the optimizers of the authors of GC.

Importing the package loads its data sets and models too, and all that they need: the module of the
optimizers is loaded alone.
"""

import importlib.util
import sys
from pathlib import Path

_NAME = "pytorch_segmentation_models_trainer"
_folder = Path(importlib.util.find_spec(_NAME).origin).parent
_spec = importlib.util.spec_from_file_location(
    f"{_NAME}_gradient_centralization", _folder / "optimizers" / "gradient_centralization.py"
)
_module = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _module
_spec.loader.exec_module(_module)

SGD = _module.SGD
Adam = _module.Adam
AdamW = _module.AdamW
RAdam = _module.RAdam
PlainRAdam = _module.PlainRAdam
