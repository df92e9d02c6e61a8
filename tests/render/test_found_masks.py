"""People painted apart from what is behind them, masks that follow, and masks written as clips."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vidstyle import Settings, UsageError, mask, media, stylize
from vidstyle.plan import Footage, plan
from vidstyle.render.frames import frames_in, frames_of, outlines, segments_of

from ..conftest import QUICK, QUICK_OPTIONS, Run, scene, write_video
from ..subjects.drawn import person

SIZE = 128
OPTIONS: dict[str, Any] = QUICK | {"size": SIZE, "codec": "ffv1"}


@pytest.fixture(scope="module")
def people(assets: Path) -> Path:
    """A person who moves to the right, for six frames."""
    pictures = [person(middle=100 + 4 * step)[0] for step in range(6)]
    return write_video(assets / "people.mp4", pictures)


@pytest.fixture(scope="module")
def drawn(assets: Path) -> Path:
    """Where the person is in the first frame."""
    inside = person(middle=100)[1]
    media.save_image(assets / "drawn.png", np.repeat(inside[..., None], 3, 2))
    return assets / "drawn.png"


def pictures(path: Path) -> list[np.ndarray]:
    return [frame.rgb.astype(int) for frame in media.open_clip(path)]


def sources(clip: Path) -> list[np.ndarray]:
    footage = Footage(
        media.open_clip(clip), (SIZE, SIZE * 144 // 256), Settings(size=SIZE, engine="gatys")
    )
    return [frame.rgb.astype(int) for frame in frames_of(footage)]


def places(dilated: int = 0) -> list[np.ndarray]:
    """Where the person is in each frame, at the size of the painting."""
    found = []
    for step in range(6):
        inside = person(middle=100 + 4 * step)[1]
        small = cv2.resize(inside, (SIZE, SIZE * 144 // 256), interpolation=cv2.INTER_AREA)
        if dilated:
            small = cv2.dilate(small, np.ones((dilated, dilated), np.uint8))
        found.append(small > 0)
    return found


@pytest.mark.parametrize("what", ["person", "background"])
def test_people_or_their_ground_stay_unpainted(
    people: Path, style: Path, tmp_path: Path, what: str
) -> None:
    done = stylize(people, style, tmp_path / "out.mkv", masks=[what], **OPTIONS)
    assert not any("nobody" in note for note in done.notes)
    wide, narrow = places(dilated=13), places()
    cores = [cv2.erode(one.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0 for one in narrow]
    for source, painted, around, core in zip(
        sources(people), pictures(done.output), wide, cores, strict=True
    ):
        kept, changed = (core, ~around) if what == "person" else (~around, core)
        assert np.abs(painted - source)[kept].max() <= 1
        assert np.abs(painted - source)[changed].mean() > 3


def test_a_drawn_mask_follows_unless_it_is_to_stay(
    people: Path, drawn: Path, style: Path, tmp_path: Path
) -> None:
    follows = stylize(people, style, tmp_path / "a.mkv", masks=[drawn], **OPTIONS)
    stays = stylize(people, style, tmp_path / "b.mkv", masks=[drawn], follow=False, **OPTIONS)
    last = places()[-1].astype(np.uint8)
    core = cv2.erode(last, np.ones((9, 9), np.uint8)) > 0
    changed = [
        np.abs(pictures(done.output)[-1] - sources(people)[-1])[core].mean()
        for done in (follows, stays)
    ]
    assert changed[0] < 0.5 < 2 < changed[1]


def test_a_segment_has_the_same_masks_wherever_it_is_painted(people: Path, drawn: Path) -> None:
    """What follows comes from the first frame on; what is found begins anew."""
    settings = Settings(size=SIZE, segment=2, faces="off", engine="gatys")
    masks = (media.open_clip(drawn), "person")
    footage = Footage(media.open_clip(people), (SIZE, 72), settings, masks)
    whole = [frame.masks for frame in frames_of(footage)]
    segments = [*segments_of(footage, outlines(footage, Fraction(0), None))]
    assert len(segments) == 3
    apart = [
        frame.masks for one in reversed(segments) for frame in [*frames_in(footage, one)][::-1]
    ]
    for one, other in zip(whole, apart[::-1], strict=True):
        assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))


def test_a_resumed_painting_knows_its_masks(people: Path, style: Path, tmp_path: Path) -> None:
    class StoppedError(Exception): ...

    def stopping(event: object) -> None:
        if type(event).__name__ == "Painted" and getattr(event, "frame", 0) == 4:
            raise StoppedError

    wanted = stylize(people, style, tmp_path / "a.mkv", masks=["person"], **OPTIONS)
    with pytest.raises(StoppedError):
        stylize(people, style, tmp_path / "b.mkv", masks=["person"], listener=stopping, **OPTIONS)
    with pytest.raises(UsageError, match="mask"):
        stylize(people, style, tmp_path / "b.mkv", masks=["background"], **OPTIONS)
    done = stylize(people, style, tmp_path / "b.mkv", masks=["person"], **OPTIONS)
    assert any("going on" in note for note in done.notes)
    assert done.output.read_bytes() == wanted.output.read_bytes()


def test_nobody_is_told_and_where_nothing_would_be_painted_refused(
    video: Path, style: Path, tmp_path: Path, vidstyle: Run
) -> None:
    made = plan(video, [style], tmp_path / "out.mkv", masks=["person"])
    assert any("nobody was found" in note for note in made.notes)
    plan(video, [style], tmp_path / "out.mkv", masks=[("background", style)])
    done = vidstyle(
        *(video, "--style", style, "--mask", "background", *QUICK_OPTIONS, "-o", tmp_path / "x.mkv")
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "nobody was found" in done.stderr and not (tmp_path / "x.mkv").exists()


def test_a_file_that_is_called_person_is_one(
    people: Path, drawn: Path, style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("person").write_bytes(drawn.read_bytes())
    found, file = (
        plan(people, [style], "out.mkv", masks=[name]).footage.masks[0]
        for name in ("person", "./person")
    )
    assert found == "person" and not isinstance(file, str)


def test_each_part_has_a_style_of_its_own(
    people: Path, style: Path, tmp_path: Path, vidstyle: Run
) -> None:
    other = tmp_path / "other.png"
    media.save_image(other, np.ascontiguousarray(scene(3)[::-1]))
    done = vidstyle(
        *(people, "--style", style, "--mask", f"person:{other}", "--mask", f"background={style}"),
        *("--dry-run", "--json", "-o", tmp_path / "out.mkv"),
    )
    assert done.returncode == 0, done.stderr
    made = plan(people, [style], tmp_path / "o", masks=[("person", other), ("background", style)])
    assert made.schedule.regions == (1, 0)


def test_a_mask_is_written_as_a_clip_and_is_one(
    people: Path, style: Path, tmp_path: Path, vidstyle: Run
) -> None:
    done = vidstyle("mask", people, "-o", tmp_path / "mask.mp4", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["frames"], told["shown"]) == (6, 6)
    times = [
        [(frame.time, frame.duration) for frame in media.open_clip(path)]
        for path in (people, tmp_path / "mask.mp4")
    ]
    assert times[0] == times[1]
    for step, found in enumerate(pictures(tmp_path / "mask.mp4")):
        inside, wanted = found[..., 0] > 127, person(middle=100 + 4 * step)[1] > 127
        assert (inside & wanted).sum() > 0.9 * (inside | wanted).sum()
    plan(people, [style], tmp_path / "out.mkv", masks=[tmp_path / "mask.mp4"])


def test_a_drawn_mask_is_written_as_a_clip(people: Path, drawn: Path, tmp_path: Path) -> None:
    done = mask(people, drawn, tmp_path / "masks")
    assert done.output.is_dir() and done.shown == 6
    inside, wanted = pictures(done.output)[-1][..., 0] > 127, person(middle=120)[1] > 127
    assert (inside & wanted).sum() > 0.9 * (inside | wanted).sum()


def test_a_mask_names_itself_after_its_clip(people: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(people.read_bytes())
    assert mask(clip).output == tmp_path / "clip.person.mp4"


def test_what_cannot_be_a_mask_is_refused_and_nothing_written(
    people: Path, gif: Path, tmp_path: Path, vidstyle: Run
) -> None:
    refused = {
        ("-o", tmp_path / "mask.gif"): "a mask is a video or a folder of pictures",
        (people,): "is a clip already",
        ("-o", people): "is read by this very run",
        ("nobody.png",): "no such file",
    }
    before = people.read_bytes()
    for arguments, told in refused.items():
        done = vidstyle("mask", people, *arguments)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        assert told in done.stderr
    assert people.read_bytes() == before and not (tmp_path / "mask.gif").exists()
    done = vidstyle("mask", gif, "-o", tmp_path / "mask.mp4")
    assert done.returncode == 0 and "nobody was found" in done.stderr
