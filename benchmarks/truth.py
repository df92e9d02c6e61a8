"""How well paint keeps to the true motion, by every engine.

    python -m benchmarks.truth WORK SCENE ... --style IMAGE [--json FILE]

A SCENE is a folder of frames and of their true motion (see ``vidstyle measure --flow-truth``).
Paintings stay in the folder WORK, and what is there is not painted again. "estimated" is the same
error along the motion that Farneback's flow finds, as it is measured where no truth is known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidstyle.metrics import measure

from .gallery import painted
from .table import Row, parser, show

WAYS: dict[str, dict[str, Any]] = {
    "every frame": {"engine": "gatys"},
    "key frames": {"engine": "keyframes"},
    "a network": {"engine": "feedforward"},
}


def main() -> None:
    made = parser(__doc__)
    made.add_argument("work", type=Path, metavar="WORK")
    made.add_argument("scenes", type=Path, nargs="+", metavar="SCENE")
    made.add_argument("--style", type=Path, required=True)
    options = made.parse_args()
    rows: list[Row] = []
    for scene in options.scenes:
        for way, given in WAYS.items():
            out = options.work / scene.name / way.replace(" ", "_")
            out.parent.mkdir(parents=True, exist_ok=True)
            figures = painted(scene, options.style, out, ("style", "content"), **given)
            true = measure(scene, out, options.style, flow_truth=scene)
            estimated = measure(scene, out, options.style)
            row = {"scene": scene.name, "painted": way, "rmse": true.rmse}
            row |= {"source": true.rmse_source, "estimated": estimated.rmse}
            rows.append(row | figures)
    show(rows, options.json)


if __name__ == "__main__":
    main()
