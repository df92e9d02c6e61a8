"""A frame of a painting is corrected: those around it follow, and nothing else changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidstyle import UsageError, correct, media, stylize
from vidstyle.core.events import Painted
from vidstyle.plan import plan_correction

from ..conftest import HEIGHT, QUICK, WIDTH, Run, scene, write_video

KEYS = QUICK | {"engine": "keyframes", "key_every": 4, "codec": "ffv1"}
BELOW, ABOVE = (slice(36, 44), slice(40, 50)), (slice(3, 11), slice(10, 20))
"""Ground that the square never covers."""
GREEN, BLUE = np.array((20, 240, 60)), np.array((30, 60, 240))
Place = tuple[slice, slice]


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """Eleven frames: key frames are the first, the fifth, the ninth and the last."""
    return write_video(tmp_path / "walk.mp4", [scene(step) for step in range(11)])


@pytest.fixture
def painted(walk: Path, style: Path) -> Path:
    made = stylize(walk, style, walk.with_name("walk.out.mkv"), keep_frames=True, **KEYS)
    return made.output


def pictures(clip: Path) -> list[np.ndarray]:
    return [frame.rgb.astype(int) for frame in media.open_clip(clip)]


def drawn(clip: Path, number: int, color: np.ndarray = GREEN, place: Place = BELOW) -> Path:
    """Draw on the kept painting of a frame, and save it as another picture."""
    picture = media.read_image(kept(clip) / f"{number:06}.png")[0].copy()
    picture[place] = color
    path = clip.with_name(f"drawn-{number}.png")
    Image.fromarray(picture).save(path)
    return path


def kept(clip: Path) -> Path:
    return clip.with_name(f".{clip.name}.vidstyle")


def shows(picture: np.ndarray, color: np.ndarray = GREEN, place: Place = BELOW) -> bool:
    return bool(np.abs(picture[place] - color).mean() < 25)


def test_a_corrected_frame_is_followed_and_nothing_else_changes(painted: Path) -> None:
    told: list[int] = []

    def listen(event: object) -> None:
        if isinstance(event, Painted):
            told.append(event.frame)

    before = pictures(painted)
    made = correct(painted, [(0.24, drawn(painted, 7))], listener=listen)
    assert made.output == painted.with_name("walk.out.2.mkv") and told == [*range(1, 12)]
    after = pictures(made.output)
    assert all(shows(picture) for picture in after)
    for one, other in zip(before, after, strict=True):
        changed = (one != other).any(2)
        changed[BELOW[0].start - 6 : BELOW[0].stop + 6, BELOW[1].start - 6 : BELOW[1].stop + 6] = 0
        assert not changed.any()
    assert all((one == other).all() for one, other in zip(before, pictures(painted), strict=True))


def test_a_correction_is_corrected_and_the_first_one_stays(painted: Path) -> None:
    first = correct(painted, [(0.24, drawn(painted, 7))])
    second = correct(first.output, [(0.0, drawn(first.output, 1, BLUE, ABOVE))])
    assert second.output == painted.with_name("walk.out.3.mkv")
    for picture in pictures(second.output):
        assert shows(picture) and shows(picture, BLUE, ABOVE)
    for path in (painted, first.output):
        path.unlink()
        shutil.rmtree(kept(path))
    assert correct(second.output, [(0.0, drawn(second.output, 1))]).frames == 11


def test_corrections_of_several_frames_meet_and_none_goes_over_a_cut(
    tmp_path: Path, style: Path
) -> None:
    """What is drawn on the square goes with it, and the nearer of two corrections counts more."""
    shots = [scene(step) for step in range(8)] + [255 - scene(step) for step in range(4)]
    clip = write_video(tmp_path / "walk.mp4", shots)
    output = clip.with_name("out.mkv")
    painted = stylize(clip, style, output, keep_frames=True, cuts=(0.32,), **KEYS).output
    folder = clip.with_name("corrected")
    folder.mkdir()

    def on_square(number: int) -> Place:
        return slice(18, 26), slice(2 + 2 * number + 2, 2 + 2 * number + 10)

    for number, color in ((2, GREEN), (7, BLUE)):
        drawn(painted, number, color, on_square(number)).rename(folder / f"{number:06}.png")
    shown = pictures(correct(painted, [folder]).output)
    assert shows(shown[1], GREEN, on_square(2)) and shows(shown[6], BLUE, on_square(7))
    green = [picture[on_square(n)].mean((0, 1))[1] for n, picture in enumerate(shown[:8], 1)]
    assert green[2] > green[3] > green[4] > green[5]
    assert shows(shown[0], GREEN, on_square(1)) and shows(shown[7], BLUE, on_square(8))
    for before, after in zip(pictures(painted)[8:], shown[8:], strict=True):
        assert (before == after).all()


def test_corrections_by_number_lie_under_masks_and_keep_the_part_and_the_format(
    walk: Path, style: Path
) -> None:
    """The upper half stays unpainted, and the clip begins at its third frame."""
    mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    mask[: HEIGHT // 2] = 255
    Image.fromarray(mask).save(walk.with_name("mask.png"))
    made = stylize(
        walk,
        style,
        walk.with_name("out.gif"),
        masks=[walk.with_name("mask.png")],
        keep_frames=True,
        **QUICK,
        start=0.08,
        strength=0.5,
        follow=False,
    )
    folder = walk.with_name("corrected")
    folder.mkdir()
    drawn(made.output, 4).rename(folder / "000004.png")
    shown = pictures(correct(made.output, [folder]).output)
    source = [frame.rgb.astype(int) for frame in media.open_clip(walk)][2:]
    assert len(shown) == 9
    for picture, there in zip(shown, source, strict=True):
        assert np.abs(picture - there)[: HEIGHT // 2 - 4].mean() < 12  # but for the palette
    half = (GREEN + source[3]) / 2
    assert np.abs(shown[3] - half)[BELOW].mean() < 12
    at_time = correct(made.output, [(0.12, folder / "000004.png")], walk.with_name("again.gif"))
    assert at_time.output.read_bytes() == walk.with_name("out.2.gif").read_bytes()


def test_a_folder_of_frames_is_corrected_into_another(walk: Path, style: Path) -> None:
    made = stylize(walk, style, walk.with_name("frames"), keep_frames=True, **QUICK)
    again = correct(made.output, [(0.0, drawn(made.output, 1))])
    assert again.output == walk.with_name("frames.2")
    assert len([*again.output.iterdir()]) == 11
    assert shows(media.read_image(again.output / "000001.png")[0].astype(int))


def test_what_another_run_has_kept_is_not_replaced_unasked(
    walk: Path, painted: Path, style: Path
) -> None:
    """Whether its output is still there or not."""
    mended = [(0.24, drawn(painted, 7))]
    other = stylize(walk, style, walk.with_name("other.mkv"), keep_frames=True, **KEYS).output
    corrected = correct(painted, mended).output
    for output in (other, corrected):
        there = sorted(path.read_bytes() for path in kept(output).glob("*.png"))
        output.unlink()
        with pytest.raises(UsageError, match="holds the paintings of another run"):
            correct(painted, mended, output)
        assert sorted(path.read_bytes() for path in kept(output).glob("*.png")) == there
    with pytest.raises(UsageError, match="holds the frames of a corrected painting"):
        stylize(walk, style, corrected, **KEYS)
    assert correct(painted, mended, other, overwrite=True).frames == 11


def test_black_bars_stay_around_a_corrected_frame(tmp_path: Path, style: Path) -> None:
    black = np.zeros((12, WIDTH, 3), np.uint8)
    barred = [np.concatenate([black, scene(step), black]) for step in range(5)]
    clip = write_video(tmp_path / "barred.mp4", barred)
    made = stylize(clip, style, clip.with_name("out.mkv"), keep_frames=True, **KEYS)
    assert media.read_image(kept(made.output) / "000003.png")[0].shape[0] < 60
    again = correct(made.output, [(0.08, drawn(made.output, 3))])
    for before, after in zip(pictures(made.output), pictures(again.output), strict=True):
        assert (before[:10] == after[:10]).all() and (before[-10:] == after[-10:]).all()
        assert ((before != after).any(2)).sum() > 40


def test_the_command_corrects_and_refuses(vidstyle: Run, painted: Path) -> None:
    mended, new = drawn(painted, 7), painted.with_name("new.mkv")
    done = vidstyle("correct", painted, "--key", f"0.24={mended}", "-o", new, "--json")
    assert done.returncode == 0
    made = json.loads(done.stdout)
    assert made["frames"] == 11 and shows(pictures(Path(made["output"]))[6])
    done = vidstyle("correct", painted)
    assert done.returncode == 2 and "give the painting of a frame with --key" in done.stderr
    done = vidstyle("correct", painted, "--key", f"0.24={mended}", "-o", painted, "-y")
    assert done.returncode == 2 and "walk.out.mkv" in done.stderr
    assert kept(painted).is_dir() and len([*kept(painted).glob("*.png")]) == 11


def remove_what_is_kept(painted: Path) -> None:
    (kept(painted) / "kept.json").unlink()


def remove_a_painting(painted: Path) -> None:
    (kept(painted) / "000005.png").unlink()


def cut_the_clip(painted: Path) -> None:
    write_video(painted.with_name("walk.mp4"), [scene(step) for step in range(10)])


@pytest.mark.parametrize(
    ("spoil", "time", "said"),
    [
        (remove_what_is_kept, 0.24, "paint it with --keep-frames"),
        (remove_a_painting, 0.24, "000005.png: is missing"),
        (cut_the_clip, 0.24, "is not as it was when it was painted"),
        (lambda painted: None, 3.0, "1 of 1 corrections are for no frame"),
    ],
)
def test_what_cannot_be_corrected_is_refused_and_leaves_nothing(
    spoil: Callable[[Path], None], time: float, said: str, painted: Path
) -> None:
    mended = drawn(painted, 7)
    spoil(painted)
    there = {path.name for path in painted.parent.iterdir()}
    with pytest.raises(UsageError, match=said):
        correct(painted, [(time, mended)])
    assert {path.name for path in painted.parent.iterdir()} == there


def test_what_was_painted_elsewhere_is_found_where_it_was_moved(
    painted: Path, tmp_path: Path
) -> None:
    mended = drawn(painted, 7)
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    made = plan_correction(moved / painted.name, [(0.24, moved / mended.name)])
    assert made.footage.clip.info.path == moved / "walk.mp4"
