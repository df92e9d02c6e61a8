"""The networks that come along, opened in OpenCV. See README.md for where they are from."""

from __future__ import annotations

from importlib import resources
from typing import Any

import cv2


def opened(name: str) -> Any:
    """Open the network in the file ``name``."""
    # The new engine of OpenCV 5 gives only one of several outputs.
    classic = getattr(cv2.dnn, "ENGINE_CLASSIC", None)
    with resources.as_file(resources.files(__package__).joinpath(name)) as path:
        return cv2.dnn.readNetFromTFLite(str(path), *([] if classic is None else [classic]))
