"""What other packages need to add engines, loss formulas, formats and recipes to vidstyle.

A program adds a thing by name: ``ENGINES.register("recolor", RecolorEngine)``. A package that is
installed names it as an entry point of the registry's group, and then it is also on the command
line:

    [project.entry-points."vidstyle.engines"]
    recolor = "my_package:RecolorEngine"

``docs/extending.md`` has an example of each. Together with ``vidstyle.__all__`` this is the public
surface of the package. Everything else is internal, and may change at any time.
"""

from __future__ import annotations

from .core.frames import Frame
from .core.images import Field, Image
from .core.registry import Registry
from .engines import ClipEngine, Engine, Learner
from .engines.base import BaseEngine
from .engines.gatys import OptimizingEngine
from .engines.protocol import OnStep, State
from .media import FORMATS, Encoder, Format
from .objective.losses import CAFFE_RANGE, UNIT_RANGE, LossScaling
from .objective.styles import StyleSchedule
from .settings import ENGINES, LOSSES
from .settings.recipes import RECIPES

__all__ = [
    "CAFFE_RANGE",
    "ENGINES",
    "FORMATS",
    "LOSSES",
    "RECIPES",
    "UNIT_RANGE",
    "BaseEngine",
    "ClipEngine",
    "Encoder",
    "Engine",
    "Field",
    "Format",
    "Frame",
    "Image",
    "Learner",
    "LossScaling",
    "OnStep",
    "OptimizingEngine",
    "Registry",
    "State",
    "StyleSchedule",
]
