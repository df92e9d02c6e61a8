"""What learns: models and their files, training, and the engines that paint with them."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vidstyle
from vidstyle import Settings, UsageError, VidstyleError, media
from vidstyle.core import events
from vidstyle.core.frames import Frame
from vidstyle.engines import training
from vidstyle.engines.feedforward import FeedForwardEngine
from vidstyle.networks import transformer as model
from vidstyle.objective.styles import StyleSchedule
from vidstyle.plan import describe, plan

from ..conftest import Run, scene, untrained, write_video

SHALLOW = {"content_layers": ("relu2_1",), "style_layers": ("relu1_1", "relu2_1")}
QUICK = {"size": 64, "training_steps": 8, **SHALLOW}
FAST = ("--size", 64, "--training-steps", 4, "--style-layers", "relu1_1")


@pytest.fixture
def workdir(workdir: Path) -> Path:
    rows = np.indices((40, 56))[0].astype(np.uint8)
    Image.fromarray(np.dstack([rows * 6, rows, 255 - rows * 5])).save(workdir / "dusk.png")
    return workdir


def frames(count: int, cuts: tuple[int, ...] = (0,)) -> list[Frame]:
    each = Fraction(1, 25)
    return [Frame(scene(i % 20), i * each, each, starts_shot=i in cuts) for i in range(count)]


def test_crops_are_spread_over_all_of_a_clip_and_never_reach_over_a_cut() -> None:
    cuts = (0, 100, 107, 350)
    seen = training.pairs(frames(400, cuts))
    times = [round(pair.frame.time * 25) for pair in seen]
    assert len(seen) <= 2 * training.CROPS and times == sorted(times)
    assert set(cuts) <= set(times)
    assert max(np.diff([0, *times, 400])) <= 400 // training.CROPS * 2 + 1
    for pair in seen:
        step = round((pair.frame.time - pair.before.time) * 25)
        assert step == (0 if round(pair.frame.time * 25) in cuts else 1)


def test_large_frames_are_kept_as_far_as_memory_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "KEPT_BYTES", 20 * scene(0).nbytes)
    assert len(training.pairs(frames(100))) <= 12


def test_training_lowers_the_objective_of_frames_that_it_has_not_seen(style: Path) -> None:
    settings = Settings(**QUICK | {"training_steps": 40})
    picture, _ = media.read_image(style)
    engine = FeedForwardEngine(settings, StyleSchedule.of(picture), (64, 48))
    told: list[events.Learned] = []
    engine.learn(frames(8), told.append)
    assert [event.number for event in told] == [*range(1, 41)] and told[-1].done == 1
    assert told[-1].picture().ndim == 3
    objective, start = engine.task(scene(15))
    painted = engine.tensor(engine.paint(Frame(scene(15), Fraction(0), Fraction(1, 25)))[0])
    assert objective.value(painted) < 0.8 * objective.value(start)


def test_in_low_precision_it_learns_and_paints_much_the_same(style: Path) -> None:
    picture, _ = media.read_image(style)
    painted = []
    for precision in ("fp32", "bf16"):
        engine = FeedForwardEngine(
            Settings(**QUICK, precision=precision, device="cpu"),
            StyleSchedule.of(picture),
            (64, 48),
        )
        engine.learn(frames(4))
        made, _ = engine.paint(Frame(scene(3), Fraction(0), Fraction(1, 25)))
        painted.append(made.astype(int))
    assert 0 < np.abs(painted[0] - painted[1]).mean() < 4


def test_training_is_repeated_to_the_bit(style: Path) -> None:
    picture, _ = media.read_image(style)
    made = []
    for _ in range(2):
        torch.rand(3)  # what else is random has no part in it
        engine = FeedForwardEngine(Settings(**QUICK), StyleSchedule.of(picture), (64, 48))
        made.append(model.dump(engine.learn(frames(4))))
    assert made[0] == made[1]


def test_a_model_that_learns_no_more_is_done_early() -> None:
    flat = [1.0] * 4 * training.CROPS
    assert training.learned(flat) and not training.learned(flat[:-1])
    assert not training.learned([0.99**i for i in range(4 * training.CROPS)])


def test_a_loss_that_is_not_finite_stops_the_work_and_leaves_nothing(workdir: Path) -> None:
    before = {path.name for path in workdir.iterdir()}
    with pytest.raises(VidstyleError, match="not finite"):
        vidstyle.stylize(
            workdir / "walk.mp4",
            workdir / "stripes.png",
            engine="feedforward",
            style_weight=1e300,
            **QUICK,
        )
    assert {path.name for path in workdir.iterdir()} == before


def test_the_network_paints_a_clip_and_leaves_only_that(workdir: Path) -> None:
    told: list[events.Event] = []
    before = {path.name for path in workdir.iterdir()}
    done = vidstyle.stylize(
        workdir / "walk.mp4",
        workdir / "stripes.png",
        engine="feedforward",
        listener=told.append,
        **QUICK,
    )
    assert done.frames == 5 and done.losses == ()
    assert sum(isinstance(event, events.Learned) for event in told) == 8
    assert {path.name for path in workdir.iterdir()} == before | {"walk.stripes.mp4"}
    assert any("training.jpg" in note for note in done.notes)
    sources, paintings = (
        [frame.rgb.astype(int) for frame in media.open_clip(path)]
        for path in (workdir / "walk.mp4", done.output)
    )
    for source, painted in zip(sources, paintings, strict=True):
        assert np.abs(painted - source).mean() > 2


def test_training_can_be_watched_and_leaves_no_half_of_a_model(workdir: Path) -> None:
    class StopError(Exception):
        pass

    def stop(event: events.Event) -> None:
        if isinstance(event, events.Learned) and event.number == 3:
            assert [*workdir.rglob("*training.jpg")]
            raise StopError

    for made in (vidstyle.stylize, vidstyle.train):
        options = QUICK | ({"engine": "feedforward"} if made is vidstyle.stylize else {})
        with pytest.raises(StopError):
            made(
                workdir / "walk.mp4",
                workdir / "stripes.png",
                workdir / "out.mp4",
                listener=stop,
                **options,
            )
        assert not (workdir / "out.mp4").exists() and not (workdir / "out.training.jpg").exists()
    other = QUICK | {"engine": "feedforward", "style_weight": 3.0}  # nothing was kept of the first
    assert vidstyle.stylize(
        workdir / "walk.mp4", workdir / "stripes.png", workdir / "out.mp4", **other
    )
    assert not [*workdir.rglob("*training.jpg")]


def test_a_stopped_run_has_not_to_learn_again_and_ends_in_the_same_bytes(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, look = workdir / "walk.gif", workdir / "stripes.png"
    whole = vidstyle.stylize(clip, look, workdir / "whole.gif", engine="feedforward", **QUICK)

    class StopError(Exception):
        pass

    def stop(event: events.Event) -> None:
        if isinstance(event, events.Painted) and event.frame == 2:
            raise StopError

    def fail(*arguments: object) -> None:
        raise StopError

    command = (clip, look, workdir / "again.gif")
    for learns in (True, False):  # the second run has the model, though no painting yet
        learned: list[events.Event] = []
        with monkeypatch.context() as there, pytest.raises(StopError) as stopped:
            there.setattr(FeedForwardEngine, "paint", fail)
            vidstyle.stylize(*command, engine="feedforward", listener=learned.append, **QUICK)
        assert stopped.value.__notes__[0].startswith("what is learned is kept")
        assert any(isinstance(event, events.Learned) for event in learned) == learns
    kept = workdir / ".again.gif.vidstyle" / "model.safetensors"
    kept.write_bytes(kept.read_bytes()[:-50])
    with pytest.raises(StopError):
        vidstyle.stylize(*command, engine="feedforward", listener=stop, **QUICK)
    told: list[events.Event] = []
    again = vidstyle.stylize(*command, engine="feedforward", listener=told.append, **QUICK)
    assert not any(isinstance(event, events.Learned) for event in told)
    assert again.output.read_bytes() == whole.output.read_bytes()
    assert not list(workdir.glob(".*"))


def test_a_preview_is_painted_by_the_optimizer_unless_there_is_a_model(workdir: Path) -> None:
    quick = Settings(engine="feedforward", size=64)
    work = plan(workdir / "walk.mp4", [workdir / "stripes.png"], settings=quick, preview=2)
    assert work.settings.engine == "gatys"
    (workdir / "m.safetensors").write_bytes(model.dump(untrained()))
    known = Settings(model=str(workdir / "m.safetensors"), size=64)
    assert (
        plan(workdir / "walk.mp4", [], settings=known, preview=2).settings.engine == "feedforward"
    )


def test_options_that_mean_nothing_to_an_engine_are_told(workdir: Path) -> None:
    for engine, option, value in (("gatys", "training_steps", 7), ("feedforward", "iterations", 7)):
        settings = Settings(engine=engine, size=64, **{option: value})  # type: ignore[arg-type]
        work = plan(workdir / "walk.mp4", [workdir / "stripes.png"], settings=settings)
        name = option.replace("_", "-")
        assert f"--{name}: no effect with the engine {engine}" in work.notes


def test_auto_takes_what_suits_the_clip_and_says_why(workdir: Path, style: Path) -> None:
    clip = workdir / "walk.mp4"
    for options, engine, why in (
        ({"max_frames": 3}, "gatys", "3 frames are too few"),
        ({}, "keyframes", "5 frames of 64x48"),
        ({"init": "content"}, "gatys", "--init is for painting every frame"),
        ({"tolerance": 0.1}, "gatys", "--tolerance 0.1 takes painting every frame"),
    ):
        work = plan(clip, [style], settings=Settings(size=64, **options))  # type: ignore[arg-type]
        assert work.settings.engine == engine
        assert why in describe(work).engine
    long = write_video(workdir / "long.mp4", [scene(i % 20) for i in range(300)])
    for fps, engine in ((25.0, "keyframes"), (250.0, "feedforward")):
        work = plan(long, [style], settings=Settings(size=1280, fps=fps))
        assert work.settings.engine == engine and "for a network" in work.engine.reason


@pytest.mark.parametrize("by", ["luma", "histogram"])
def test_colors_can_be_those_of_the_clip(by: str, workdir: Path) -> None:
    red = [np.clip(scene(i) * [1, 0.4, 0.4], 0, 255).astype(np.uint8) for i in range(4)]
    clip = write_video(workdir / "red.mp4", red)
    quick = QUICK | {"training_steps": 30, "engine": "feedforward"}
    means = {}
    for kept in ("none", by):
        done = vidstyle.stylize(
            clip, workdir / "dusk.png", workdir / kept, keep_colors=kept, style_weight=30.0, **quick
        )
        means[kept] = np.mean([frame.rgb.mean((0, 1)) for frame in media.open_clip(done.output)], 0)
    source = np.mean([picture.mean((0, 1)) for picture in red], 0)
    assert np.abs(means[by] - source).max() < np.abs(means["none"] - source).max()


def test_another_size_than_the_model_has_learned_at_is_noted(workdir: Path) -> None:
    (workdir / "m.safetensors").write_bytes(model.dump(untrained()))
    for size, told in ((64, False), (80, False), (100, True), (40, True)):
        options = Settings(model=str(workdir / "m.safetensors"), size=size)
        work = plan(workdir / "walk.mp4", [], workdir / f"{size}.mp4", settings=options)
        assert any("was trained at 64x48" in note for note in work.notes) is told


def test_masks_have_styles_of_their_own(workdir: Path) -> None:
    (workdir / "m.safetensors").write_bytes(model.dump(untrained(("stripes", "dusk"))))
    cover = np.zeros((48, 64), np.uint8)
    cover[:, 32:] = 255
    Image.fromarray(cover).save(workdir / "right.png")
    options = {"model": str(workdir / "m.safetensors"), "size": 64, "feather": 0.0}
    one, two, both = (
        _painted(workdir, "1", "stripes", (), options),
        _painted(workdir, "2", "dusk", (), options),
        _painted(workdir, "3", "stripes", [(workdir / "right.png", "dusk")], options),
    )
    assert np.abs(both[:, :30] - one[:, :30]).max() <= 1
    assert np.abs(both[:, 34:] - two[:, 34:]).max() <= 1
    assert np.abs(one - two).max() > 5


def _painted(workdir: Path, name: str, look: str, masks: object, options: dict) -> np.ndarray:
    done = vidstyle.stylize(workdir / "walk.mp4", look, workdir / name, masks=masks, **options)
    return next(iter(media.open_clip(done.output))).rgb.astype(int)


def test_train_then_paint_another_clip(workdir: Path, vidstyle: Run) -> None:
    styles = ("--style", "stripes.png", "--style", "dusk.png:3")
    made = vidstyle(
        "train", "walk.mp4", *styles, "-o", "m.safetensors", "--json", *FAST, cwd=workdir
    )
    assert made.returncode == 0, made.stderr
    report = json.loads(made.stdout)
    assert report["styles"] == ["stripes", "dusk"] and report["steps"] == 4
    about = model.load(workdir / "m.safetensors").config
    assert about.weights == (0.25, 0.75) and about.settings["training_steps"] == 4
    assert Image.open(workdir / "m.training.jpg").width > 64
    blend = ("--style", "dusk:2", "--style", "stripes", "--size", 64, "-o", "out.gif")
    done = vidstyle("walk.gif", "--model", "m.safetensors", *blend, cwd=workdir)
    assert done.returncode == 0, done.stderr
    lost = vidstyle("export", "m.safetensors", "-o", "nowhere/m.onnx", cwd=workdir)
    assert lost.returncode == 2 and "no such folder" in lost.stderr


def test_styles_of_a_model_go_by_their_names(workdir: Path) -> None:
    (workdir / "m.safetensors").write_bytes(model.dump(untrained(("stripes", "dusk"))))
    known = {"model": str(workdir / "m.safetensors"), "size": 64, "overwrite": True}
    clip, output = workdir / "walk.gif", workdir / "out.gif"
    assert vidstyle.stylize(clip, output=output, **known).frames == 4
    later = vidstyle.stylize(clip, output=output, style_at=[(0, workdir / "stripes.png")], **known)
    assert later.frames == 4
    with pytest.raises(UsageError, match="did you mean 'stripes'"):
        vidstyle.stylize(clip, "strips", workdir / "no.gif", **known)
    assert not (workdir / "no.gif").exists()


def test_training_never_replaces_a_file_unasked(workdir: Path) -> None:
    clip, look, target = workdir / "walk.mp4", workdir / "stripes.png", workdir / "m.safetensors"
    with pytest.raises(UsageError, match="no such folder"):
        vidstyle.train(clip, look, workdir / "nowhere" / "m.safetensors", **QUICK)
    vidstyle.train(clip, look, target, **QUICK | {"training_steps": 2})
    before = {path: path.read_bytes() for path in (target, workdir / "m.training.jpg")}
    with pytest.raises(UsageError, match="exists already"):
        vidstyle.train(clip, look, target, **QUICK)
    with pytest.raises(VidstyleError, match="not finite"):
        vidstyle.train(clip, look, target, overwrite=True, style_weight=1e300, **QUICK)
    assert all(path.read_bytes() == data for path, data in before.items())


def test_a_model_can_learn_from_a_folder_of_pictures_of_any_size(workdir: Path) -> None:
    folder = workdir / "photos"
    folder.mkdir()
    for number, size in enumerate(((64, 48), (50, 90), (120, 40))):
        Image.fromarray(scene(number)).resize(size).save(folder / f"{number}.png")
    made = vidstyle.train(folder, workdir / "stripes.png", workdir / "m.safetensors", **QUICK)
    assert made.steps == 8 and (made.width, made.height) == (64, 48)
    with pytest.raises(UsageError, match="same size"):
        vidstyle.stylize(folder, model=str(made.output), size=64)


@pytest.mark.parametrize("kind", ["one frame", "black", "one color of style"])
def test_there_is_always_a_picture_or_one_line(kind: str, workdir: Path, vidstyle: Run) -> None:
    pictures = {"one frame": [scene(0)], "black": [np.zeros_like(scene(0))] * 3}
    write_video(workdir / "odd.mp4", pictures.get(kind, [scene(i) for i in range(2)]))
    if kind == "one color of style":
        Image.new("RGB", (40, 40), (90, 20, 20)).save(workdir / "stripes.png")
    command = ("odd.mp4", "--style", "stripes.png", "--engine", "feedforward", "--size", 64)
    done = vidstyle(*command, "--training-steps", 6, "-o", "out.mp4", cwd=workdir)
    assert done.returncode == 0, done.stderr
    painted = [frame.rgb for frame in media.open_clip(workdir / "out.mp4")]
    assert len(painted) == len(pictures.get(kind, [0, 0]))


def test_two_styles_of_one_name_are_refused_before_training(workdir: Path) -> None:
    (workdir / "other").mkdir()
    shutil.copy(workdir / "dusk.png", workdir / "other" / "stripes.png")
    styles = [workdir / "stripes.png", workdir / "other" / "stripes.png"]
    with pytest.raises(UsageError, match="two styles are called stripes"):
        vidstyle.train(workdir / "walk.mp4", styles, workdir / "two.safetensors", **QUICK)
    (workdir / "two.safetensors").write_bytes(model.dump(untrained(("stripes", "stripes"))))
    settings = Settings(model=str(workdir / "two.safetensors"))
    with pytest.raises(UsageError, match="two styles of the same name"):
        plan(workdir / "walk.mp4", ["stripes"], settings=settings)


def test_training_writes_over_nothing_that_it_reads(workdir: Path) -> None:
    shutil.copy(workdir / "dusk.png", workdir / "m.training.jpg")
    for output, what in (
        (workdir / "m.safetensors", workdir / "m.training.jpg"),
        (workdir / "walk.mp4",) * 2,
    ):
        before = what.read_bytes()
        with pytest.raises(UsageError, match="read by this very run"):
            vidstyle.train(
                workdir / "walk.mp4", workdir / "m.training.jpg", output, overwrite=True, **QUICK
            )
        assert what.read_bytes() == before


def test_training_does_not_write_over_its_weights(workdir: Path) -> None:
    weights = workdir / "net.safetensors"
    weights.write_bytes(b"weights")
    options = QUICK | {"weights": str(weights), "overwrite": True}
    with pytest.raises(UsageError, match="read by this very run"):
        vidstyle.train(workdir / "walk.mp4", workdir / "stripes.png", weights, **options)
    assert weights.read_bytes() == b"weights"
