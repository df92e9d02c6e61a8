"""Recipes: settings with a name, in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vidstyle
from vidstyle import Settings, UsageError, media
from vidstyle.settings import recipes
from vidstyle.settings.quality import quality, with_quality

from ..conftest import Run


def test_every_recipe_that_comes_along_can_be_used_and_says_what_it_is() -> None:
    known = recipes.every()
    assert {"fine", "sketch", "true-colors"} <= {recipe.name for recipe in known}
    for recipe in known:
        assert recipe.about and recipe.source and recipe.cost
        assert Settings(**recipe.options) != Settings()


def test_a_quality_is_one_word_for_the_same_options_wherever_it_is_given(tmp_path: Path) -> None:
    best, good = quality("best"), quality("good")
    assert set(best) == set(good) and Settings(**good) == Settings()
    path = tmp_path / "mine.toml"
    path.write_text("quality = 'best'\niterations = 7\n")
    assert recipes.load(path).options == best | {"iterations": 7}
    assert with_quality({"quality": "draft", "iterations": 3})["iterations"] == 3
    assert with_quality({"size": 64}) == {"size": 64}


def test_an_unknown_quality_is_refused_with_the_nearest_one(
    video: Path, style: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="did you mean 'draft'"):
        vidstyle.stylize(video, style, tmp_path / "a.mp4", quality="drafd")


def test_settings_come_back_from_a_file(tmp_path: Path) -> None:
    settings = Settings(
        size="full", cuts=(1.5, 2.0), style_layers=("relu1_1:2", "relu2_1"), seamless=False, end=3.0
    )
    recipes.save(settings, tmp_path / "a.toml")
    assert Settings(**recipes.load(tmp_path / "a.toml").options) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("style_wieght = 3", "did you mean 'style_weight'"),
        ("iterations = 'many'", "iterations: 'many' is not a number"),
        ("optimizer = 3", "unknown optimizer '3'"),
        ("size = ", "cannot be read as a recipe"),
        ("report = 1", "is not True or False"),
    ],
)
def test_a_wrong_recipe_gets_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        recipes.load(path)
    assert str(path) in str(caught.value)


def test_a_mistyped_recipe_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'sketch'"):
        recipes.load("sketsh")
    with pytest.raises(UsageError, match="no such recipe"):
        recipes.load("folder/none.toml")


def test_a_run_writes_its_recipe_and_is_run_again_to_the_same(
    video: Path, style: Path, tmp_path: Path, vidstyle: Run
) -> None:
    fast = ("--size", 64, "--iterations", 2, "--first-iterations", 3, "--max-frames", 2)
    common = (video, "--style", style, "--quiet")
    done = vidstyle(*common, "--recipe", "sketch", *fast, "--save-recipe", "-o", tmp_path / "one")
    assert done.returncode == 0, done.stderr
    (saved,) = tmp_path.glob("*.toml")
    assert "tolerance = 0.6" in saved.read_text(), "from the recipe"
    assert "size = 64" in saved.read_text(), "an option goes on top"
    done = vidstyle(*common, "--recipe", saved, "-o", tmp_path / "two")
    assert done.returncode == 0, done.stderr
    one, two = (list(media.open_clip(tmp_path / name)) for name in ("one", "two"))
    assert len(one) == len(two) == 2
    assert all((a.rgb == b.rgb).all() for a, b in zip(one, two, strict=True))
    done = vidstyle(*common, *fast, "--save-recipe", "-o", tmp_path / "one.mp4")
    assert done.returncode == 2 and "one.toml: exists already" in done.stderr
    assert not (tmp_path / "one.mp4").exists()


def test_the_list_of_recipes(vidstyle: Run) -> None:
    listed = vidstyle("recipes")
    assert listed.returncode == 0 and "fine" in listed.stdout and "time:" in listed.stdout
    assert "sketch" in json.loads(vidstyle("recipes", "--json").stdout)


def test_a_recipe_names_no_file_outside_of_its_folder_unless_asked(tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    path = folder / "mine.toml"
    for outside in ("../net.pth", "/etc/net.pth", "deep/../../net.pth"):
        path.write_text(f'weights = "{outside}"\nsize = 64\n')
        with pytest.raises(UsageError, match=r"outside of the recipe's folder.*--weights"):
            recipes.load(path)
        assert recipes.load(path, {"weights"}).options == {"size": 64}
    path.write_text('model = "net.safetensors"\nweights = "random"\n')
    options = recipes.load(path).options
    assert options == {"model": str(folder / "net.safetensors"), "weights": "random"}


def test_a_recipe_sends_no_clip_to_another_machine(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('cluster = "ray://somewhere:10001"\nsize = 64\n')
    with pytest.raises(UsageError, match="give it yourself with --cluster"):
        recipes.load(path)
    assert recipes.load(path, {"cluster"}).options == {"size": 64}
    recipes.save(Settings(cluster="local", size=64), path)
    assert recipes.load(path).options["size"] == 64 and "cluster" not in path.read_text()


def test_files_are_saved_as_seen_from_the_recipe(tmp_path: Path) -> None:
    folder = tmp_path / "runs \N{ARTIST PALETTE}"
    folder.mkdir()
    model = folder / "my \N{ARTIST PALETTE} model.safetensors"
    for path in (model, tmp_path / "net.pth"):
        path.write_text("")
    told = recipes.save(Settings(model=str(model), size=64), folder / "a.toml")
    assert not told and recipes.load(folder / "a.toml").options["model"] == str(model)
    folder.rename(tmp_path / "moved")
    moved = recipes.load(tmp_path / "moved" / "a.toml").options
    assert moved["model"] == str(tmp_path / "moved" / model.name)
    path = tmp_path / "moved" / "b.toml"
    told = recipes.save(Settings(weights=str(tmp_path / "net.pth"), size=64), path)
    assert "--weights" in told[0] and recipes.load(path).options["size"] == 64
    assert f"--weights {tmp_path / 'net.pth'}" in recipes.load(path).about


@pytest.mark.usefixtures("unpainted")
def test_a_preview_saves_the_recipe_of_what_it_is_a_preview_of(workdir: Path) -> None:
    from vidstyle.cli import main

    command = ["walk.mp4", "--style", "stripes.png", "-o", "x.mp4", "--size", "400"]
    assert main([*command, "--preview", "--save-recipe", "--iterations", "30"]) == 0
    saved = recipes.load("x.toml").options
    assert (saved["size"], saved["iterations"], saved.get("max_frames")) == (400, 30, None)


def test_a_recipe_with_the_former_name_of_an_engine_still_loads(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text('engine = "network"\n')
    assert Settings(**recipes.load(tmp_path / "old.toml").options).engine == "feedforward"
