"""Where paintings go, and that nothing of the user's is in their way afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import vidstyle
from vidstyle import UsageError, media, networks
from vidstyle.cli import main
from vidstyle.core import events
from vidstyle.plan import plan

from ..conftest import QUICK, QUICK_OPTIONS, contents, not_yet, scene

STYLE = ("--style", "stripes.png", *QUICK_OPTIONS)


@pytest.fixture
def project(workdir: Path) -> Path:
    """A folder with frames, notes and things that must stay."""
    frames = workdir / "project" / "frames"
    frames.mkdir(parents=True)
    for number in range(3):
        Image.fromarray(scene(number)).save(frames / f"{number:03}.png")
    (workdir / "project" / "notes.txt").write_text("precious")
    return workdir / "project"


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


pytestmark = pytest.mark.usefixtures("unpainted")


@pytest.mark.parametrize("output", ["project", "project/", "..", "."])
def test_an_existing_folder_takes_the_painting_and_keeps_the_rest(
    output: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.parent / "inner").mkdir()
    if output in ("..", "."):
        monkeypatch.chdir(project.parent / "inner")
    base = Path("..") if output in ("..", ".") else Path()
    before = contents(project.parent)
    into = (base / output if output == "project" else Path(output)) / "frames.stripes"
    command = (base / "project/frames", "--style", base / "stripes.png", "--size", 64, "-o", output)
    for _ in range(2):
        assert run(*command, "-y") == 0
        assert len([*into.iterdir()]) == 3
    after = contents(project.parent)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 3


def test_a_painted_folder_is_refused_then_replaced(project: Path) -> None:
    assert run("project/frames", *STYLE, "-o", "out") == 0
    assert run("project/frames", *STYLE, "-o", "out") == 2
    assert run("project/frames", *STYLE, "-o", "out", "--max-frames", 2, "-y") == 0
    assert sorted(p.name for p in Path("out").iterdir()) == ["000001.png", "000002.png"]
    Path("out/notes.txt").write_text("precious")  # now it is the user's, and takes paintings
    assert run("project/frames", *STYLE, "-o", "out", "-y") == 0
    assert Path("out/notes.txt").exists() and len([*Path("out/frames.stripes").iterdir()]) == 3


def test_a_folder_is_not_painted_over_itself(project: Path) -> None:
    assert run("project/frames", *STYLE, "-o", "out") == 0
    before = contents(Path("out"))
    assert run("out", *STYLE, "-o", "out", "-y") == 2
    assert contents(Path("out")) == before


@pytest.mark.parametrize(
    "command",
    [
        ("project/frames/00*.png", "--max-frames", 1, "-o", "project/frames/000.png"),
        ("walk.gif", "--mask", "mask.png", "--max-frames", 1, "-o", "mask.png"),
        ("walk.gif", "--max-frames", 1, "-o", "stripes.png"),
        ("walk.gif", "--preview", "-o", "stripes.gif"),  # its sheet is stripes.png
        ("walk.gif", "--recipe", "x.toml", "--save-recipe", "-o", "x.gif"),
    ],
)
def test_what_a_run_reads_is_never_written_over(
    command: tuple[object, ...], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(scene(0)).save("mask.png")
    Path("x.toml").write_text("size = 64\n")
    before = contents(project.parent)
    assert run(*command, *STYLE, "-y") == 2
    assert "read by this very run" in capsys.readouterr().err
    assert contents(project.parent) == before


def test_a_trailing_slash_is_a_folder_and_a_suffix_is_one_file(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("walk.gif", *STYLE, "-o", "painted/") == 0
    assert [p.name for p in Path("painted").iterdir()] == ["walk.stripes.gif"]
    assert run("walk.gif", "walk.mp4", *STYLE, "-o", "out.webp") == 2
    assert "several clips need a folder" in capsys.readouterr().err
    assert not Path("out.webp").exists()
    assert run("walk.gif", *STYLE, "-o", "deep/er/", "--size", 8) == 2
    assert not Path("deep").exists()


def test_a_format_goes_with_the_name(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("there").mkdir()
    assert run("walk.gif", *STYLE, "-o", "there", "--format", "mp4") == 0
    assert [p.name for p in Path("there").iterdir()] == ["walk.stripes.mp4"]
    assert media.open_clip("there/walk.stripes.mp4").info.container == "mov"
    assert run("walk.gif", *STYLE, "-o", "x.gif", "--format", "mp4") == 2
    assert "leave out one" in capsys.readouterr().err


def test_a_batch_whose_outputs_share_a_name_is_refused(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("other").mkdir()
    shutil.copy("walk.gif", "other/walk.gif")
    before = contents(workdir)
    for more in ((), ("-y",)):
        assert run("walk.gif", "other/walk.gif", *STYLE, "-o", "painted", *more) == 2
        assert "both walk.gif and other/walk.gif" in capsys.readouterr().err
    assert run("walk.gif", "walk.mp4", *STYLE, "--plot") == 2  # one plot for both
    assert contents(workdir) == before and not Path("painted").exists()


def test_a_clip_of_a_batch_is_not_written_over_by_another(workdir: Path) -> None:
    shutil.copy("walk.gif", "walk.stripes.gif")
    before = Path("walk.stripes.gif").read_bytes()
    assert run("walk.gif", "walk.stripes.gif", *STYLE, "-y") == 1
    assert Path("walk.stripes.gif").read_bytes() == before
    assert Path("walk.stripes.stripes.gif").exists()


def test_names_of_a_folder_keep_the_style(project: Path) -> None:
    shutil.copy("stripes.png", "other.png")
    one = plan("project/frames", ["stripes.png"])
    other = plan("project/frames", ["other.png"])
    assert (one.output.path.name, other.output.path.name) == ("frames.stripes", "frames.other")
    assert one.journal is not None and one.journal.name == ".frames.stripes.vidstyle"
    assert one.journal != other.journal
    settings = vidstyle.Settings(format="gif", plot=True, snapshots=1)
    moved = plan("project/frames", ["stripes.png"], settings=settings)
    assert moved.output.path.name == "frames.stripes.gif"
    assert moved.output.plot is not None and moved.output.plot.name == "frames.stripes.plot.png"
    inside = plan("project/frames", ["stripes.png"], settings=vidstyle.Settings(snapshots=1))
    assert inside.output.snapshots == inside.output.path.with_name("frames.stripes.snapshots")


def test_an_mp4_and_a_gif_of_one_clip_have_journals_of_their_own(workdir: Path) -> None:
    journals = {plan(clip, ["stripes.png"]).journal for clip in ("walk.gif", "walk.mp4")}
    assert len(journals) == 2


def test_a_command_wins_over_a_folder_of_its_name(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree("project/frames", "info")
    assert run("info", "walk.gif", "--json") == 0
    assert '"container": "gif"' in capsys.readouterr().out
    assert run("./info", *STYLE) == 0 and Path("info.stripes").is_dir()


class StopError(Exception):
    """Somebody ends it."""


def stop(event: events.Event) -> None:
    if isinstance(event, events.Painted) and event.frame == 3:
        raise StopError


def test_a_second_run_on_one_output_is_told_and_harms_nothing(workdir: Path) -> None:
    told: list[str] = []

    def again(event: events.Event) -> None:
        if isinstance(event, events.Painted) and event.frame == 3 and not told:
            parts = {p: p.stat().st_ino for p in workdir.glob(".*.part")}
            for more in ({}, {"restart": True}, {"overwrite": True}):
                with pytest.raises(UsageError, match="another run") as refused:
                    vidstyle.stylize("walk.mp4", "stripes.png", "o.mp4", size=64, **more)
                told.append(str(refused.value))
            with pytest.raises(UsageError, match="another run"):
                vidstyle.preview("walk.mp4", "stripes.png", "o.mp4")
            assert parts and {p: p.stat().st_ino for p in workdir.glob(".*.part")} == parts

    made = vidstyle.stylize("walk.mp4", "stripes.png", "o.mp4", size=64, listener=again)
    assert made.frames == 5 and len(told) == 3 and "\n" not in "".join(told)
    assert len([*media.open_clip("o.mp4")]) == 5 and not [*workdir.glob(".*")]


def test_two_processes_started_at_once_lose_nothing(workdir: Path) -> None:
    command = [sys.executable, "-m", "vidstyle", "walk.mp4", *STYLE, "-o", "o.mp4", "--quiet"]
    command += ["--first-iterations", "30", "--iterations", "10"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in both]
    codes = [process.returncode for process in both]
    assert sorted(codes) == [0, 2], errors
    refused = errors[codes.index(2)]
    assert "another run" in refused or "exists already" in refused
    assert len([*media.open_clip("o.mp4")]) == 5 and not [*workdir.glob(".*")]


def test_leftovers_of_a_killed_run_go_with_a_restart_and_a_preview(workdir: Path) -> None:
    for name in (".o.mp4.abcdefgh.part", ".p.mp4.ab12_fgh.part"):
        Path(name).write_text("half")
    vidstyle.stylize("walk.mp4", "stripes.png", "o.mp4", size=64, restart=True)
    vidstyle.preview("walk.mp4", "stripes.png", "p.mp4")
    assert not [*workdir.glob(".*")]


def test_a_restart_that_cannot_be_written_keeps_what_was_painted(workdir: Path) -> None:
    with pytest.raises(StopError):
        vidstyle.stylize("walk.mp4", "stripes.png", "o.mp4", size=64, listener=stop)
    before = contents(workdir)
    with pytest.raises(UsageError):
        vidstyle.stylize("walk.mp4", "stripes.png", "o.mp4", size=64, restart=True, crf=99)
    assert contents(workdir) == before


def test_a_partial_clip_of_the_user_is_not_replaced_by_a_run_that_goes_on(workdir: Path) -> None:
    options = {"size": 64, "keep_partial": True, "listener": stop}
    for _ in range(2):  # its own it may replace
        with pytest.raises(StopError) as left:
            vidstyle.stylize("walk.mp4", "stripes.png", "o.mp4", **options)
        assert "frames so far are in o.partial.mp4" in " ".join(left.value.__notes__)
    Path("o.partial.mp4").write_text("precious")
    with pytest.raises(UsageError, match="exists already"):
        vidstyle.stylize("walk.mp4", "stripes.png", "o.mp4", **options)
    assert Path("o.partial.mp4").read_text() == "precious"


def test_kept_frames_are_said_to_be_without_their_colors(workdir: Path) -> None:
    made = vidstyle.stylize(
        "walk.mp4", "stripes.png", "o.mp4", size=64, keep_frames=True, strength=0.5
    )
    assert any("before --keep-colors" in note for note in made.notes)


def test_a_disk_without_room_is_told_before_painting(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2000))
    with monkeypatch.context() as patch, pytest.raises(UsageError, match="MB are free"):
        patch.setattr(networks, "load", not_yet)
        vidstyle.stylize("walk.mp4", "stripes.png")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=220_000))
    made = vidstyle.stylize("walk.mp4", "stripes.png", "o.mp4", **QUICK)
    assert any("up to" in note for note in made.notes)
