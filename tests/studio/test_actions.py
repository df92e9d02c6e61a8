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
from vidstyle.studio.choice import Choice, ChosenStyle
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
    assert one.styles == [ChosenStyle(str(style))] and told == ""
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
    choice, *_ = studio.take_clip(
        str(video), Choice(styles=[ChosenStyle(str(style), 0.5)]), "0.04", ""
    )
    remembered = json.loads(
        json.dumps(studio.remember(studio.take_found("person", choice), *values))
    )
    again, _, told, found, *shown = studio.recall(remembered)
    assert (again.clip, again.styles, again.mask) == (
        str(video),
        [ChosenStyle(str(style), 0.5)],
        "person",
    )
    assert "64x48" in told and found == "person" and shown == values
    assert again.part == ("0.04", "") and again.order(Settings()).mask == "person"
    gone = remembered | {"clip": "/no/such.mp4", "styles": [["/no/such.jpg", 1.0]], "mask": None}
    again, _, told, found, *_ = studio.recall(gone)
    assert (again, told, found) == (Choice(), "", "")
    for nothing in (None, {}, remembered | {"values": ["", ""]}):
        assert all(one == gr.skip() for one in studio.recall(nothing))


def test_only_what_is_planned_is_painted(studio: Studio, gif: Path, style: Path) -> None:
    choice, *_ = studio.take_clip(str(gif), Choice(styles=[ChosenStyle(str(style))]), "", "")
    steps, *values = controls.shown_of(Settings(**QUICK))
    planning, done = studio.plan(choice, "", "", steps, *values)
    assert not planning[2].is_planned and "4" in done[0] and done[1]["visible"]
    now = (choice, "", "", steps, *values)
    other = (choice, "0.1", "", steps, *values)
    assert studio.unplan(done[2], *now) == [gr.skip()] * 3
    told, go, asked = studio.unplan(done[2], *other)
    assert (told, go["visible"], asked) == ("", False, None)
    for planned in (done[2], None):  # of other controls, or none: planned anew
        *_, shown = studio.begin(planned, *other)
        assert shown[1]["visible"] and shown[2].said.settings.start == 0.1
        assert shown[3] == gr.skip()
    *_, shown = studio.begin(planning[2], *now)  # not yet planned
    assert shown[2] == done[2] and shown[3] == gr.skip()
    assert not studio.queue.runs
    ((told, go, asked, menu),) = studio.begin(done[2], *now)
    assert (told, go["visible"], asked) == ("", False, None)
    assert studio.queue.runs[menu.value].order == done[2].said


def test_a_change_that_comes_late_takes_no_refusal_away(studio: Studio, gif: Path) -> None:
    """On a busy machine, the change that was refused arrives after the refusal."""
    choice, *_ = studio.take_clip(str(gif), Choice(), "", "")
    steps, *values = controls.shown_of(Settings(**QUICK))
    for now, why in (((Choice(), "", ""), "no clip yet"), ((choice, "x", ""), "x")):
        planning, refused = studio.plan(*now, steps, *values)
        assert why in refused[0] and not refused[1]["visible"] and not refused[2].is_planned
        for asked in (planning[2], refused[2]):
            assert studio.unplan(asked, *now, steps, *values) == [gr.skip()] * 3
        other = (choice, "0.1", "")
        assert studio.unplan(refused[2], *other, steps, *values)[0] == ""
        assert why in [*studio.begin(refused[2], *now, steps, *values)][-1][0]
    assert not studio.queue.runs


def test_a_detail_needs_a_clip_and_gives_way(studio: Studio, gif: Path, style: Path) -> None:
    choice, *_ = studio.take_clip(str(gif), Choice(styles=[ChosenStyle(str(style))]), "", "")
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
    choice, *_ = studio.take_clip(str(video), Choice(styles=[ChosenStyle(str(style))]), "", "")
    _, use, told = masks.draw(choice)
    assert use["visible"] and told == ""
    nothing = np.zeros((48, 64, 4), np.uint8)
    same, told = studio.take_drawn({"layers": [nothing]}, choice)
    assert same is choice and "Nothing is drawn" in told
    one, other = nothing.copy(), nothing.copy()
    one[10:20, 10:20] = 255
    other[30:40, 30:40] = 255
    choice, told = studio.take_drawn({"layers": [nothing, one, other]}, choice)
    assert "follows" in told and not choice.mask_stills
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


def test_a_drawn_mask_is_followed_to_the_tuned_frames(
    studio: Studio, video: Path, style: Path
) -> None:
    choice, *_ = studio.take_clip(str(video), Choice(styles=[ChosenStyle(str(style))]), "", "")
    drawn = np.zeros((48, 64, 4), np.uint8)
    drawn[16:28, 4:16] = 255  # the square, which walks on by two pixels a frame
    choice, _ = studio.take_drawn({"layers": [drawn]}, choice)
    quick = Settings(**QUICK)
    assert studio._still(choice, quick).mask == Path(str(choice.mask))
    assert not studio.followed.is_new(choice)
    last = replace(choice, tuned=2)
    assert studio.followed.is_new(last)
    moved = studio._still(last, quick).mask
    assert isinstance(moved, Path) and not studio.followed.is_new(last)
    mask = media.read_image(moved)[0][..., 0]
    steps = len([*media.open_clip(video)]) - 1
    front = np.flatnonzero(mask[22] > 127)[-1]
    assert abs(front - (15 + 2 * steps)) <= 1 and steps > 2
    assert studio._still(last, quick).mask == moved  # it is known now
    other = replace(last, tuned=1)
    assert studio._still(other, quick, lambda: False).mask == Path(str(choice.mask))
    kept = studio._still(last, replace(quick, follow=False)).mask
    assert kept == Path(str(choice.mask))


def test_a_style_counts_from_a_second_on(studio: Studio, video: Path, style: Path) -> None:
    later = str(studio.shelf[0])
    styles = [ChosenStyle(str(style)), ChosenStyle(later, 2.0, "0:00.2")]
    choice, *_ = studio.take_clip(str(video), Choice(styles=styles), "0.04", "")
    assert choice.times[0] == 0 and choice.times == sorted(choice.times)
    order = choice.order(Settings(**QUICK))
    assert order.styles == ((style, 1.0),) and order.later == ((0.2, Path(later), 2.0),)
    assert f"--style-at 0.2={later}:2" in order.command
    assert order.styles_at(0) == ((style, 1.0),) and order.styles_at(9) == ((Path(later), 1.0),)
    half = dict(order.styles_at(0.1))
    assert half == pytest.approx({style: 0.5, Path(later): 0.5})
    still = studio._still(replace(choice, tuned=1), Settings(**QUICK))
    assert still.styles == order.styles_at(choice.times[1]) and not still.later
    assert order.plan(studio.files).schedule.keyframes.keys() == {0.0, 0.2}
    run = studio.queue.add(order)
    assert Run.load(run.folder).order == run.order
    assert studio.open_run(run.name)[0].styles == [styles[0], styles[1]._replace(since="0.2")]
    assert f"{style.stem}+{Path(later).stem}" in labels_of(studio.queue)[0][0]
    wrong_time = choice.with_style(1, ChosenStyle(later, 1.0, "soon"))
    with pytest.raises(UsageError, match=r"from soon: write seconds"):
        wrong_time.order(Settings(**QUICK))
    assert choice.with_style(0).styles == styles[1:]


def test_key_frames_are_proposed_and_come_back_painted(
    studio: Studio, video: Path, tmp_path: Path
) -> None:
    steps, *values = controls.shown_of(Settings(**{**QUICK, "engine": "keyframes"}))
    (_, _, told) = [*studio.keys.propose(Choice(), "", "", steps, *values)][-1]
    assert "no clip yet" in told
    choice, *_ = studio.take_clip(str(video), Choice(), "", "")
    shown, files, told = [*studio.keys.propose(choice, "", "", steps, *values)][-1]
    numbers = [int(label) for _, label in shown["value"]]
    assert numbers[0] == 1 and len(numbers) > 1 and f"{len(numbers)} of" in told
    paths = [Path(path) for path in files["value"]]
    assert [int(path.stem) for path in paths] == numbers
    assert studio.keys.shown(choice)[1]["visible"] is False
    painted = []
    for path in (paths[0], paths[-1]):
        picture = media.read_image(path)[0][..., ::-1]
        media.save_image(tmp_path / path.name, np.ascontiguousarray(picture))
        painted.append(str(tmp_path / path.name))
    one, told, emptied = studio.keys.take(painted[:1], choice)
    assert told == "" and emptied is None and one.keys != choice.keys
    both, *_ = studio.keys.take(painted[1:], one)
    assert both.keys != one.keys  # so that a plan of one is not taken for that of both
    assert [label for _, label in studio.keys.shown(both)[0]["value"]] == ["1", str(numbers[-1])]
    media.save_image(tmp_path / "wide-0001.png", np.zeros((10, 90, 3), np.uint8))
    media.save_image(tmp_path / "unnumbered.png", np.zeros((48, 64, 3), np.uint8))
    for name, said in (("wide-0001.png", "another shape"), ("unnumbered.png", "must end with")):
        same, told, _ = studio.keys.take([str(tmp_path / name)], both)
        assert said in told and same == both
    # No style: the painted frames are the style.
    order = both.order(controls.settings_of(steps, values, "", ""))
    assert [path.name for path, _ in order.styles_at(0)] == [
        path.name for path in (paths[0], paths[-1])
    ]
    assert "--key" in order.command and len(order.plan(studio.files).footage.keys) == 2
    run = studio.queue.add(order)
    assert run.order.keys == run.folder / "keys" and Run.load(run.folder).order == run.order
    with studio.queue.changed:
        assert studio.queue.changed.wait_for(lambda: run.is_over, 120)
    assert run.state == "done", run.message
    assert studio.open_run(run.name)[0].keys == str(run.order.keys)
    page = cast("gr.Request", SimpleNamespace(session_hash="page"))
    *_, (tuned, said) = studio.tune(page, both, "", "", steps, *values)
    assert "painted in" in said and tuned[1].shape == (48, 64, 3)
    assert studio.keys.forget(both).keys is None
    assert studio.take_part(both, "0.04", "")[0].keys is None  # its frames have other numbers


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
    assert (
        choice.clip == str(gif)
        and choice.styles == [ChosenStyle(str(style))]
        and "walk.gif" in told
    )
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
