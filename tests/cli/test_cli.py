"""The command line as a process: what it prints, how it ends, what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from vidstyle import media
from vidstyle.cli.commands import COMMANDS

from ..conftest import QUICK_OPTIONS, Run, scene, write_video


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_one_command_paints_a_clip_and_reports(workdir: Path, process: Run) -> None:
    done = process("walk.mp4", "--style", "stripes.png", "--json", *QUICK_OPTIONS, cwd=workdir)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["frames"] == 5 and report["size"] == [64, 48]
    assert report["settings"]["iterations"] == 2 and len(report["losses"]) == 5
    assert Path(report["output"]) == workdir / "walk.stripes.mp4"
    assert names(workdir) == {"walk.mp4", "walk.gif", "stripes.png", "walk.stripes.mp4"}
    assert "5 of 5 frames" in done.stderr and "left" in done.stderr


def test_a_report_measures_what_was_painted(workdir: Path, vidstyle: Run) -> None:
    command = ("walk.mp4", "--style", "stripes.png", "--report", "-o", "frames", *QUICK_OPTIONS)
    done = vidstyle(*command, "--json", cwd=workdir)
    report = json.loads(done.stdout)["measures"]
    assert report["frames"] == 5 and report["style"] > 0
    again = vidstyle(
        "measure", "walk.mp4", "frames", "--style", "stripes.png", "--json", cwd=workdir
    )
    assert json.loads(again.stdout)["style"] == pytest.approx(report["style"], rel=1e-3)
    shown = vidstyle(*command, "-y", cwd=workdir)
    assert "warping" in shown.stderr and shown.stdout == ""


def test_quiet_is_silent(workdir: Path, process: Run) -> None:
    done = process(
        *("walk.gif", "--style", "stripes.png:2", "--quiet", "--max-frames", 1),
        *QUICK_OPTIONS,
        cwd=workdir,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (workdir / "walk.stripes.gif").exists()


def test_a_dry_run_tells_the_plan_and_paints_nothing(workdir: Path, vidstyle: Run) -> None:
    before = names(workdir)
    command = ("walk.mp4", "--style", "stripes.png", "--dry-run", "--precision", "fp32")
    command = (*command, "--size", "512")
    done = vidstyle(*command, cwd=workdir)
    assert done.returncode == 0
    for word in ("512x384", "vgg19", "cpu", "fp32", "estimated", "aac"):
        assert word in done.stderr
    report = json.loads(vidstyle(*command, "--json", cwd=workdir).stdout)
    assert report["frames"] == 5 and report["estimated seconds"] > 0
    assert report["notes"] == (
        "a style of 56x40 is enlarged 9.4 times, which makes its strokes soft: use a larger picture"
    )
    each = report["seconds by quality"]
    assert each["draft"] < each["good"] == report["estimated seconds"] < each["best"]
    assert names(workdir) == before


def test_the_help_names_what_else_there_is(process: Run) -> None:
    done = process("--help")
    assert done.returncode == 0
    named = done.stdout.split("Other commands")[1]
    assert {*named.replace(",", " ").replace(".", " ").split()} >= {*COMMANDS}


def test_an_existing_output_is_kept_unless_asked(workdir: Path, vidstyle: Run) -> None:
    output = workdir / "mine.gif"
    output.write_text("precious")
    command = (
        *("walk.gif", "--style", "stripes.png", "-o", "mine.gif", "--max-frames", 1),
        *QUICK_OPTIONS,
    )
    refused = vidstyle(*command, cwd=workdir)
    assert refused.returncode == 2 and "--overwrite" in refused.stderr
    assert output.read_text() == "precious"
    assert vidstyle(*command, "-y", cwd=workdir).returncode == 0
    assert media.open_clip(output).info.container == "gif"


def bad_inputs(workdir: Path) -> dict[str, tuple[list[object], str]]:
    """Arguments that must be refused, with a word of the line that says why."""
    (workdir / "empty").mkdir()
    (workdir / "nothing.mp4").touch()
    (workdir / "text.mp4").write_text("this is no video\n" * 50)
    sound = write_video(workdir / "with.mp4", [scene(0)] * 3, sound="aac")
    _only_sound(sound, workdir / "sound.m4a")
    Image.new("RGB", (8, 8)).save(workdir / "tiny.png")
    with_style = ["--style", "stripes.png"]
    return {
        "missing": (["gone.mp4", *with_style], "no such file"),
        "folder": (["empty", *with_style], "no images"),
        "empty": (["nothing.mp4", *with_style], "empty"),
        "text": (["text.mp4", *with_style], "not a video"),
        "sound": (["sound.m4a", *with_style], "only sound"),
        "no style": (["walk.mp4"], "--style"),
        "style missing": (["walk.mp4", "--style", "gone.jpg"], "no such image"),
        "style text": (["walk.mp4", "--style", "text.mp4"], "cannot be read as an image"),
        "style weight": (["walk.mp4", "--style", "stripes.png:-1"], "0 or more"),
        "zero weights": (["walk.mp4", "--style", "stripes.png:0"], "add up to 0"),
        "same": (["walk.mp4", *with_style, "-o", "walk.mp4", "-y"], "read by this very run"),
        "format": (["walk.mp4", *with_style, "-o", "x.mp3"], "did you mean"),
        "no folder": (["walk.mp4", *with_style, "-o", "gone/x.mp4"], "cannot be written"),
        "size": (["walk.mp4", *with_style, "--size", "31"], "at least 32"),
        "big": (["walk.mp4", *with_style, "--size", "100000"], "memory"),
        "small": (["tiny.png", *with_style, "--size", "full"], "too small"),
        "word": (["walk.mp4", *with_style, "--iterations", "many"], "not a number"),
        "option": (["walk.mp4", *with_style, "--stile-weight", "1"], "stile-weight"),
        "layer": (["walk.mp4", *with_style, "--style-layers", "relu11"], "did you mean"),
        "weights": (["walk.mp4", *with_style, "--weights", "stripes.png"], "cannot be read"),
        "vgg16": (["walk.mp4", *with_style, "--network", "vgg16"], "bundled"),
        "many": (["walk.mp4", *with_style, "-o", "x.png"], "holds one frame"),
        "preview": (["walk.mp4", *with_style, "--preview", "0"], "at least 1"),
        "device": (["walk.mp4", *with_style, "--device", "gpu"], "device"),
    }


def _only_sound(source: Path, output: Path) -> None:
    import av

    with av.open(str(source)) as clip, av.open(str(output), "w", format="mp4") as out:
        stream = out.add_stream_from_template(clip.streams.audio[0])
        for packet in clip.demux(clip.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)


def test_bad_input_gets_one_line_and_leaves_nothing(
    workdir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidstyle.cli import main

    monkeypatch.chdir(workdir)
    cases = bad_inputs(workdir)
    before = names(workdir)
    for name, (arguments, word) in cases.items():
        code = main(
            [str(a) for a in (*arguments, "--iterations", 2, "--first-iterations", 2)][
                : None if name != "word" else len(arguments)
            ]
        )
        shown = capsys.readouterr()
        lines = [line for line in shown.err.splitlines() if line.startswith("vidstyle:")]
        assert code == 2, f"{name}: {code}, {shown.err}"
        assert shown.out == "" and len(lines) == 1 and word in lines[0], f"{name}: {shown.err}"
        assert "Traceback" not in shown.err
        assert names(workdir) == before, name


def test_bad_input_as_a_process(workdir: Path, vidstyle: Run) -> None:
    done = vidstyle("gone.mp4", "--style", "stripes.png", cwd=workdir)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "vidstyle: gone.mp4: no such file: check the name\n"
    with_trace = vidstyle("gone.mp4", "--style", "stripes.png", "--verbose", cwd=workdir)
    assert with_trace.returncode == 2 and "Traceback" in with_trace.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written_to(workdir: Path, vidstyle: Run) -> None:
    locked = workdir / "locked"
    locked.mkdir(mode=0o500)
    done = vidstyle("walk.mp4", "--style", "stripes.png", "-o", "locked/x.mp4", cwd=workdir)
    assert done.returncode == 2 and "cannot be written" in done.stderr


def test_a_truncated_clip_is_painted_as_far_as_it_goes(workdir: Path, vidstyle: Run) -> None:
    whole = workdir / "walk.gif"
    data = whole.read_bytes()
    (workdir / "part.gif").write_bytes(data[: len(data) * 6 // 10])
    done = vidstyle("part.gif", "--style", "stripes.png", *QUICK_OPTIONS, cwd=workdir)
    assert done.returncode == 0, done.stderr
    assert "damaged" in done.stderr
    assert (workdir / "part.stripes.gif").exists()


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_leaves_nothing(sent: int, code: int, workdir: Path) -> None:
    before = names(workdir)
    command = [
        sys.executable, "-m", "vidstyle", "walk.mp4", "--style", "stripes.png", "--size", "128",
        "--first-iterations", "5000",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=workdir, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "5 frames" in process.stderr.readline()  # the painting has begun
    time.sleep(0.5)
    process.send_signal(sent)
    _, error = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in error
    assert names(workdir) == before


def test_an_interrupt_within_exec_has_the_same_code(tmp_path: Path) -> None:
    program = """
import signal
from vidstyle import cli
cli.run = lambda options: exec("signal.raise_signal(signal.SIGINT)")
raise SystemExit(cli.main(["x.gif", "--style", "y.png"]))
"""
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, "-m", "program"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "vidstyle: stopped\n")


def test_info_tells_what_is_understood(workdir: Path, vidstyle: Run) -> None:
    facts = json.loads(vidstyle("info", "walk.mp4", "--json", cwd=workdir).stdout)
    assert (facts["frames"], facts["fps"], facts["sound"]) == (5, 25.0, ["aac"])
    assert (facts["size"], facts["rate"], facts["kind"]) == ("64x48", "constant", "video")
    shown = vidstyle("info", "walk.gif", cwd=workdir)
    assert shown.returncode == 0
    for word in ("variable", "transparent  True", "loop  3"):
        assert word in shown.stdout
    refused = vidstyle("info", "gone.gif", cwd=workdir)
    assert refused.returncode == 2 and "no such file" in refused.stderr


def test_a_clip_through_pipes(workdir: Path) -> None:
    command = [
        sys.executable, "-m", "vidstyle", "-", "--style", "stripes.png", "-o", "-", "--format",
        "apng", "--max-frames", "2", *QUICK_OPTIONS,
    ]  # fmt: skip
    data = (workdir / "walk.gif").read_bytes()
    done = subprocess.run(command, cwd=workdir, input=data, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (workdir / "got.png").write_bytes(done.stdout)
    assert [f.duration * 100 for f in media.open_clip(workdir / "got.png")] == [5, 10]
    nameless = [word for word in command if word not in ("--format", "apng")]
    done = subprocess.run(nameless, cwd=workdir, input=data, capture_output=True, timeout=120)
    assert done.returncode == 2 and b"--format" in done.stderr


def test_format_codec_rate_and_loop_by_option(workdir: Path, vidstyle: Run) -> None:
    few = ("--style", "stripes.png", *QUICK_OPTIONS, "--quiet")
    assert vidstyle("walk.mp4", *few, "--format", "gif", "--loop", 2, cwd=workdir).returncode == 0
    assert media.open_clip(workdir / "walk.stripes.gif").info.loop == 2
    done = vidstyle(
        "walk.gif", *few, "-o", "x.mkv", "--codec", "h265", "--crf", 30, "--fps", 10, cwd=workdir
    )
    assert done.returncode == 0, done.stderr
    clip = media.open_clip(workdir / "x.mkv")
    assert clip.info.codec == "hevc"
    assert [float(f.time) for f in clip] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert vidstyle("walk.mp4", *few, "--audio", "none", cwd=workdir).returncode == 0
    assert media.open_clip(workdir / "walk.stripes.mp4").info.sound == ()


def test_several_clips_are_painted_and_one_that_fails_does_not_stop_the_rest(
    workdir: Path, vidstyle: Run
) -> None:
    (workdir / "no.gif").write_text("no animation")
    done = vidstyle(
        *("walk.gif", "no.gif", "walk.mp4", "--style", "stripes.png", "-o", "painted/", "--json"),
        *QUICK_OPTIONS,
        cwd=workdir,
    )
    assert done.returncode == 1 and "no.gif" in done.stderr and "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert names(workdir / "painted") == {"walk.stripes.gif", "walk.stripes.mp4"}
    assert [Path(clip["output"]).name for clip in report["clips"]] == [
        "walk.stripes.gif",
        "walk.stripes.mp4",
    ]
    assert [entry["clip"] for entry in report["failed"]] == ["no.gif"]
    again = vidstyle("walk.gif", "walk.mp4", "--style", "stripes.png", *QUICK_OPTIONS, cwd=workdir)
    assert again.returncode == 0 and "2 of 2 clips are done" in again.stderr
    assert {"walk.stripes.gif", "walk.stripes.mp4"} <= names(workdir)


def test_several_clips_need_a_folder_and_leave_none_that_is_empty(
    workdir: Path, vidstyle: Run
) -> None:
    clips = ("walk.gif", "walk.mp4", "--style")
    wrong = vidstyle(*clips, "stripes.png", "-o", "stripes.png", cwd=workdir)
    assert wrong.returncode == 2 and "is not a folder" in wrong.stderr
    wrong = vidstyle(*clips, "stripes.png", "-o", "-", "--format", "gif", cwd=workdir)
    assert wrong.returncode == 2 and "stdout" in wrong.stderr
    wrong = vidstyle(*clips, "missing.png", "-o", "painted", cwd=workdir)
    assert wrong.returncode == 1 and "0 of 2 clips are done, without walk.gif, walk.mp4" in (
        wrong.stderr
    )
    assert not (workdir / "painted").exists()


def test_frames_that_are_too_large_are_refused_before_they_are_decoded(
    workdir: Path, vidstyle: Run
) -> None:
    command = ("walk.mp4", "--style", "stripes.png", *QUICK_OPTIONS)
    done = vidstyle(*command, "--max-pixels", 64 * 48 - 1, cwd=workdir)
    assert done.returncode == 2 and "--max-pixels" in done.stderr
    assert vidstyle(*command, "--max-pixels", 64 * 48, "--dry-run", cwd=workdir).returncode == 0
