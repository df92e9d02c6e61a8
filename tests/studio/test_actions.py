"""What happens when something on the page is touched."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import gradio as gr
import numpy as np
import pytest

from vidstyle import Settings, UsageError, media
from vidstyle.studio import SAMPLES, controls, masks, samples
from vidstyle.studio.actions import PageView, Studio
from vidstyle.studio.choice import Choice
from vidstyle.studio.page import build
from vidstyle.studio.queue import Queue
from vidstyle.studio.runs import Order, Run
from vidstyle.studio.words import labels_of, tuned_line, wrong

from ..conftest import QUICK


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    files = tmp_path / "files"
    files.mkdir()
    found = Studio(Queue(tmp_path / "runs", files / "uploads"), samples(), files)
    yield found
    found.close()


def test_the_samples_are_those_that_are_shipped(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [path.name for path in studio.clips] == ["city.mp4", "fish.gif"]
    assert len(studio.shelf) == 3
    shipped = tmp_path / "samples"
    shipped.mkdir()
    for path in samples():
        shutil.copy(path, shipped)
    shutil.copy(shipped / "fish.gif", shipped / "fish.auvers.gif")  # painted where it lay
    (shipped / "wave.jpg").unlink()
    monkeypatch.setattr("vidstyle.studio.PACKAGE", tmp_path)
    assert [path.name for path in samples()] == [name for name in SAMPLES if name != "wave.jpg"]


def test_what_is_packed_is_what_is_shipped() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    targets = tomllib.loads(project.read_text())["tool"]["hatch"]["build"]["targets"]
    for target, folder, also in (
        ("wheel", "vidstyle/samples", ()),
        ("sdist", "samples", ("draw_fish.py",)),
    ):
        packed = {*targets[target]["force-include"].values()}
        assert packed == {f"{folder}/{name}" for name in (*SAMPLES, "README.md", *also)}


def test_the_studio_works_without_samples(tmp_path: Path, video: Path) -> None:
    (tmp_path / "files").mkdir()
    studio = Studio(Queue(tmp_path / "runs", tmp_path / "files"), [], tmp_path / "files")
    try:
        parts = build(studio).config["components"]
        assert "… or a sample: there are none" in [part["props"].get("label") for part in parts]
        choice, _, told, _ = studio.take_clip(str(video), Choice(), "", "")
        assert choice.clip == str(video) and "64x48" in told
    finally:
        studio.close()


def test_the_frames_are_those_of_the_wanted_part(studio: Studio, video: Path) -> None:
    whole, _, told, _ = studio.take_clip(str(video), Choice(), "", "")
    assert "64x48, 0.2 s, with sound" in told and len(whole.stills) == 3
    frames = [frame.rgb for frame in media.open_clip(video)]

    def shown(choice: Choice) -> list[int]:
        pictures = [media.read_image(Path(path))[0] for path in choice.stills]
        return [
            next(i for i, rgb in enumerate(frames) if np.array_equal(rgb, picture))
            for picture in pictures
        ]

    assert shown(whole) == [0, 2, 4]
    part, _, _ = studio.take_part(whole, "0.04", "0:00.16")
    assert shown(part) == [1, 2, 3]
    same, _, _ = studio.take_part(part, "0.04", "0:00.16")
    assert same is part  # leaving a field is no change
    kept, _, told = studio.take_part(part, "9", "")
    assert kept is part and "there is no frame" in told
    kept, _, told = studio.take_part(part, "soon", "")
    assert kept is part and "write seconds" in told


def test_styles_are_added_weighed_and_taken_away(studio: Studio, style: Path, gif: Path) -> None:
    one, told, _ = studio.take_styles([str(style)], Choice())
    assert one.styles == [(str(style), 1.0)] and told == ""
    (studio.files / "no.jpg").write_text("no picture")
    kept, told, _ = studio.take_styles([str(studio.files / "no.jpg")], one)
    assert kept.styles == one.styles and "cannot be read as an image" in told
    two = studio.take_from_shelf(one, SimpleNamespace(index=1))
    assert len(two.styles) == 2
    assert studio.take_from_shelf(two, SimpleNamespace(index=1)).styles == one.styles


def test_a_mask_has_a_frame_for_each_of_the_clips(studio: Studio, video: Path, gif: Path) -> None:
    choice, *_ = studio.take_clip(str(video), Choice(), "", "")
    masked, told = studio.take_mask(str(gif), choice, "", "")
    assert told == "" and len(masked.mask_stills) == 3
    bare, _ = studio.take_mask(None, masked, "", "")
    assert bare.mask is None and not bare.mask_stills


def test_a_page_is_set_up_as_a_browser_remembers_it(
    studio: Studio, video: Path, style: Path
) -> None:
    values = ["0.04", "", *controls.shown_of(Settings(size=64, style_weight=3.0))]
    choice, *_ = studio.take_clip(str(video), Choice(styles=[(str(style), 0.5)]), "0.04", "")
    remembered = json.loads(
        json.dumps(studio.remember(studio.take_found("person", choice), *values))
    )
    again, _, told, found, *shown = studio.recall(remembered)
    assert (again.clip, again.styles, again.mask) == (str(video), [(str(style), 0.5)], "person")
    assert "64x48" in told and found == "person" and shown == values
    assert again.part == ("0.04", "") and again.order(Settings()).mask == "person"
    gone = remembered | {"clip": "/no/such.mp4", "styles": [["/no/such.jpg", 1.0]], "mask": None}
    again, _, told, found, *_ = studio.recall(gone)
    assert (again, told, found) == (Choice(), "", "")
    for nothing in (None, {}, remembered | {"values": ["", ""]}):
        assert all(one == gr.skip() for one in studio.recall(nothing))


def test_only_what_is_planned_is_painted(studio: Studio, gif: Path, style: Path) -> None:
    choice, *_ = studio.take_clip(str(gif), Choice(styles=[(str(style), 1.0)]), "", "")
    steps, *values = controls.shown_of(Settings(**QUICK))
    planning, done = studio.plan(choice, "", "", steps, *values)
    assert planning[2] is None and "4" in done[0] and done[1]["visible"]
    now = (choice, "", "", steps, *values)
    other = (choice, "0.1", "", steps, *values)
    assert studio.unplan(done[2], *now) == [gr.skip()] * 3
    told, go, order = studio.unplan(done[2], *other)
    assert (told, go["visible"], order) == ("", False, None)
    for planned in (done[2], None):  # of other controls, or none: planned anew
        *_, shown = studio.begin(planned, *other)
        assert shown[1]["visible"] and shown[2].settings.start == 0.1 and shown[3] == gr.skip()
    assert not studio.queue.runs
    ((told, go, order, menu),) = studio.begin(done[2], *now)
    assert (told, go["visible"], order) == ("", False, None)
    assert studio.queue.runs[menu.value].order == done[2]
    *_, refused = studio.plan(Choice(), "", "", steps, *values)
    assert "no clip yet" in refused[0] and refused[2] is None


def test_a_detail_needs_a_clip_and_gives_way(studio: Studio, gif: Path, style: Path) -> None:
    choice, *_ = studio.take_clip(str(gif), Choice(styles=[(str(style), 1.0)]), "", "")
    steps, *values = controls.shown_of(Settings(**QUICK))
    page = cast("gr.Request", SimpleNamespace(session_hash="page"))
    first, *stages = studio.detail(page, choice, 10, 90, "", "", steps, *values)
    assert first == (gr.skip(), "painting a detail")
    before, after = stages[-1][0]
    assert before.shape == after.shape == (48, 64, 3) and "painted in" in stages[-1][1]
    _, refused = studio.detail(page, Choice(), None, None, "", "", steps, *values)
    assert "no clip yet" in refused[1]
    given_way = studio.detail(page, choice, None, None, "", "", steps, *values)
    next(given_way)
    studio.forget(page)
    assert [*given_way] == []


@pytest.mark.parametrize(
    ("done", "size", "said"),
    [
        (1.0, "auto", "painted in 8 s"),
        (1.0, 640, "painted in 8 s at 512 pixels; the painting will have 640"),
        (0.05, "auto", "painting, 5%"),
        (0.25, 512, "painting, 25%, 24 s left"),
    ],
)
def test_a_tuned_frame_says_how_long_it_takes_and_how_large_it_is(
    done: float, size: int | str, said: str
) -> None:
    assert tuned_line(done, 8.0, (512, 288), size) == said


def test_a_mask_is_drawn_on_the_first_frame_and_has_a_style_of_its_own(
    studio: Studio, video: Path, style: Path
) -> None:
    assert "no clip yet" in masks.draw(Choice())[2]
    choice, *_ = studio.take_clip(str(video), Choice(styles=[(str(style), 1.0)]), "", "")
    _, use, told = masks.draw(choice)
    assert use["visible"] and told == ""
    nothing = np.zeros((48, 64, 4), np.uint8)
    same, told = studio.take_drawn({"layers": [nothing]}, choice)
    assert same is choice and "Nothing is drawn" in told
    one, other = nothing.copy(), nothing.copy()
    one[10:20, 10:20] = 255
    other[30:40, 30:40] = 255
    choice, told = studio.take_drawn({"layers": [nothing, one, other]}, choice)
    assert "follows" in told and len(choice.mask_stills) == 3
    mask = media.read_image(Path(str(choice.mask)))[0]
    assert mask[15, 15].min() == mask[35, 35].min() == 255 and mask.mean() < 20
    same, told = masks.take_inside(str(video), choice)
    assert same is choice and "cannot be read as an image" in told
    choice, told = masks.take_inside(str(studio.shelf[0]), choice)
    order = choice.order(Settings(**QUICK))
    plan = order.plan(studio.files)
    assert plan.schedule.regions == (1,) and f"{order.mask}={studio.shelf[0]}" in order.command
    run = studio.queue.add(order)
    assert run.order.inside == studio.shelf[0] and Run.load(run.folder).order == run.order
    again = studio.open_run(run.name)[0]
    assert again.inside == choice.inside and again.mask == str(run.order.mask)
    assert masks.take_inside(None, choice)[0].inside is None


def test_a_sample_is_tried_at_once_and_a_tuned_frame_is_stopped(studio: Studio) -> None:
    choice, _, told = studio.try_sample(Choice())
    assert "city.mp4" in told and "starry_night" in choice.styles[0][0]
    steps, *values = controls.shown_of(Settings(**QUICK))
    page = cast("gr.Request", SimpleNamespace(session_hash="page"))
    tuned = studio.tune(page, choice, "", "", steps, *values)
    next(tuned)
    assert "stopped" in studio.rest(page) and [*tuned] == []


def test_errors_name_no_private_folder_and_runs_say_what_they_are(
    studio: Studio, gif: Path, style: Path
) -> None:
    told = wrong(UsageError("/tmp/vidstyle-studio-a1b2/uploads/8f/odd name.mp4: is no clip"))
    assert "odd name.mp4: is no clip" in told and "uploads" not in told
    assert "/home/me/odd.mp4" in wrong(UsageError("/home/me/odd.mp4: is no clip"))
    order = Order(gif, ((style, 1.0),), Settings(**QUICK, style_weight=3.0))
    run = studio.queue.add(order)
    ((label, name),) = labels_of(studio.queue)
    assert name == run.name and "stripes --size 64" in label and len(label) < 120
    again = studio.queue.add(
        replace(order, corrects=run.folder / "out.gif", corrections=gif.parent)
    )
    assert f"corrected from {run.name}" in labels_of(studio.queue)[0][0]
    assert labels_of(studio.queue)[0][1] == again.name


def test_two_runs_play_beside_each_other(studio: Studio, gif: Path, style: Path) -> None:
    order = Order(gif, ((style, 1.0),), Settings(**QUICK, seamless=False))
    runs = [studio.queue.add(order) for _ in range(2)]
    with pytest.raises(gr.Error, match="runs that are done"):
        studio.compare(runs[0].name, None)
    with studio.queue.changed:
        assert studio.queue.changed.wait_for(lambda: all(r.state == "done" for r in runs), 120)
    shown = media.open_clip(studio.compare(runs[0].name, runs[1].name)["value"])
    assert (shown.info.width, shown.info.height) == (128, 48)
    choice, _, told, found, *values = studio.open_run(runs[0].name)
    assert choice.clip == str(gif) and choice.styles == [(str(style), 1.0)] and "walk.gif" in told
    assert found == "" and values[:3] == ["", "", "good"]
    settings = controls.settings_of(values[2], values[3:], *values[:2])
    assert settings == order.settings
    runs[0].picture, runs[0].state = np.zeros((4, 4, 3), np.uint8), "painting"
    shown = [studio.refresh(runs[0].name, PageView())["picture"]["value"] for _ in range(2)]
    assert shown[0] == shown[1] and media.read_image(Path(shown[0]))[0].shape == (4, 4, 3)
    runs[0].picture = np.ones((4, 4, 3), np.uint8)
    assert studio.refresh(runs[0].name, PageView())["picture"]["value"] != shown[0]
    assert not Path(shown[0]).exists()
    runs[0].picture, runs[0].state = None, "done"
    seen = studio.refresh(runs[0].name, PageView())
    assert seen["player"]["visible"] and seen["download"]["visible"] and not seen["stop"]["visible"]
    assert [*studio.refresh(runs[0].name, seen["seen"])] == ["seen"]
