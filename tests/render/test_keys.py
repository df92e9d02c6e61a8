"""Key frames from the outside: chosen, written, given, and gone on from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidstyle import UsageError, media, stylize
from vidstyle.core.events import Painted
from vidstyle.plan import plan
from vidstyle.settings import Settings

from ..conftest import HEIGHT, QUICK, WIDTH, Run, scene, write_video

KEYS = QUICK | {"engine": "keyframes", "key_every": 4}


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """Eleven frames: key frames are the first, the fifth, the ninth and the last."""
    return write_video(tmp_path / "long.mp4", [scene(step) for step in range(11)])


class StopError(Exception):
    """Ends a run."""


def pictures(clip: Path) -> list[np.ndarray]:
    return [frame.rgb.astype(int) for frame in media.open_clip(clip)]


def test_every_frame_of_a_clip_is_there_and_most_of_them_follow(walk: Path, style: Path) -> None:
    told: list[Painted] = []

    def listen(event: object) -> None:
        if isinstance(event, Painted):
            told.append(event)

    made = stylize(walk, style, walk.with_name("out"), listener=listen, **KEYS)
    assert made.frames == len(told) == 11
    painted = [at for at, loss in enumerate(made.losses) if loss]
    assert painted == [0, 4, 8, 10]
    shown = pictures(made.output)
    ground = [picture[-12:].mean((0, 1)) for picture in shown]
    assert np.abs(np.diff(ground, axis=0)).max() < 1


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(walk: Path, style: Path) -> None:
    whole = stylize(walk, style, walk.with_name("whole.mkv"), codec="ffv1", **KEYS)
    output = walk.with_name("out.mkv")

    def stop(event: object) -> None:
        if isinstance(event, Painted) and event.frame == 6:
            raise StopError

    with pytest.raises(StopError):
        stylize(walk, style, output, codec="ffv1", listener=stop, **KEYS)
    made = stylize(walk, style, output, codec="ffv1", **KEYS)
    assert any("going on" in note for note in made.notes)
    assert made.output.read_bytes() == whole.output.read_bytes()


@pytest.mark.parametrize("options", [{"segment": 5}, {"seamless": True}, {"flow": "none"}])
def test_segments_loops_and_no_flow_are_painted_whole(
    options: dict[str, object], walk: Path, style: Path
) -> None:
    made = stylize(walk, style, walk.with_name("out"), **KEYS | options)
    assert made.frames == 11
    for picture, source in zip(pictures(made.output), pictures(walk), strict=True):
        assert np.abs(picture - source).mean() > 2


def test_keys_are_written_edited_and_followed(vidstyle: Run, walk: Path) -> None:
    folder = walk.with_name("keys")
    options = ("-o", folder, "--key-every", "4", "--size", "64")
    done = vidstyle("keys", walk, *options, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["numbers"] == [1, 5, 9, 11]
    names = ["000001.png", "000005.png", "000009.png", "000011.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert media.read_image(walk.with_name("keys.png"))[0].size
    for path in folder.iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path).convert("RGB"))).save(path)
    painted = ("--key", folder, "--size", "64", "-o", walk.with_name("out"), "--key-every", "4")
    done = vidstyle(walk, *painted)
    assert done.returncode == 0 and "does not line up with it" not in done.stderr
    for picture, source in zip(pictures(walk.with_name("out")), pictures(walk), strict=True):
        assert np.abs(picture - (255 - source)).mean() < 4  # no style: the keys are all there is
    done = vidstyle("keys", walk, *options)
    assert done.returncode == 2  # somebody may have painted over them
    assert "exists already" in done.stderr
    assert len(list(folder.iterdir())) == 4


def test_a_painting_is_given_by_its_time(walk: Path, style: Path) -> None:
    painted = walk.with_name("painted.png")
    wanted = (255 - pictures(walk)[2]).astype(np.uint8)
    Image.fromarray(wanted).resize((128, 96)).save(painted)
    options = QUICK | {"engine": "auto"}
    made = stylize(walk, style, walk.with_name("out"), keys=[(0.09, painted)], **options)
    assert made.settings.engine == "keyframes"
    shown = pictures(made.output)
    assert np.abs(shown[2] - wanted).mean() < 3
    assert np.abs(shown[0] - (255 - pictures(walk)[0])).mean() < 4  # what comes before follows


def test_a_painting_counts_without_flow_and_its_clear_part_is_filled(
    walk: Path, style: Path
) -> None:
    painted = walk.with_name("painted.png")
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:, :8] = 0
    colors = np.full((HEIGHT, WIDTH, 3), (200, 40, 90), np.uint8)
    colors[:, :8] = 255
    Image.fromarray(np.concatenate([colors, alpha], 2)).save(painted)
    options = KEYS | {"flow": "none", "max_frames": 5}
    made = stylize(walk, style, walk.with_name("out"), keys=[(0.04, painted)], **options)
    assert np.abs(pictures(made.output)[1] - (200, 40, 90)).max() <= 1


def test_paintings_that_do_not_fit_are_told(walk: Path, style: Path) -> None:
    turned = walk.with_name("turned.png")
    mirrored = (255 - pictures(walk)[2][:, ::-1]).astype(np.uint8)
    Image.fromarray(mirrored).save(turned)
    keys = [(0.1, turned), (20.0, turned)]
    made = stylize(walk, style, walk.with_name("out"), keys=keys, **KEYS)
    assert "the painting given for frame 3 does not line up with it" in made.notes
    assert any("1 of 2 given paintings are for no frame" in note for note in made.notes)


def test_keys_that_make_no_sense_are_refused(walk: Path, style: Path, tmp_path: Path) -> None:
    wide, folder = tmp_path / "wide.png", tmp_path / "folder"
    Image.fromarray(scene(0)[:20]).save(wide)
    folder.mkdir()
    Image.fromarray(scene(0)).save(folder / "portrait.png")
    fine = tmp_path / "fine.png"
    Image.fromarray(scene(0)).save(fine)
    for keys, settings, line in (
        ([(0.0, wide)], {}, "another shape"),
        ([(0.0, fine), (0.0, fine)], {}, "leave out one"),
        ([(0.0, tmp_path / "none.png")], {}, "no such image"),
        ([(-1.0, fine)], {}, "must be 0 or more"),
        ([fine], {}, "is not a folder"),
        ([folder], {}, "must end with the number"),
        ([(0.0, fine)], {"engine": "gatys"}, "--key is for the engine keyframes"),
    ):
        with pytest.raises(UsageError, match=line):
            plan(walk, [style], keys=keys, settings=Settings(size=64, **settings))
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["folder"]


def test_a_journal_goes_on_only_with_the_same_key_frames(walk: Path, style: Path) -> None:
    painted, output = walk.with_name("painted.png"), walk.with_name("out.mkv")
    Image.fromarray(255 - scene(0)).save(painted)

    def stop(event: object) -> None:
        if isinstance(event, Painted):
            raise StopError

    with pytest.raises(StopError):
        stylize(walk, style, output, keys=[(0, painted)], listener=stop, **KEYS)
    Image.fromarray(scene(0)).save(painted)
    with pytest.raises(UsageError, match="another key"):
        stylize(walk, style, output, keys=[(0, painted)], **KEYS)
