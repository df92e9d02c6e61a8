"""People vote on pairs of paintings, without knowing which is which, and the votes are counted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vidstyle import UsageError, cli, media
from vidstyle.studio.votes import Ballot, Vote, interval, questions, read_votes, standings
from vidstyle.studio.voting import Poll, Turn, build


@pytest.fixture
def asked(tmp_path: Path, video: Path, gif: Path, style: Path) -> Path:
    folder = tmp_path / "asked"
    for name, paintings in (("walk", ("new", "old")), ("again", ("new", "old", "other"))):
        (folder / name).mkdir(parents=True)
        shutil.copy(video, folder / name / "source.mp4")
        shutil.copy(style, folder / name / "style.png")
        for painting in paintings:
            shutil.copy(gif, folder / name / f"{painting}.gif")
    (folder / "notes").mkdir()
    return folder


def vote(better: str, voter: str = "a", question: str = "walk") -> Vote:
    return Vote(question, "old", "new", better, voter, 1.5)


def test_each_two_paintings_are_a_question(asked: Path, tmp_path: Path) -> None:
    found = questions(asked)
    assert [(q.name, q.one.stem, q.other.stem) for q in found] == [
        ("again", "new", "old"),
        ("again", "new", "other"),
        ("again", "old", "other"),
        ("walk", "new", "old"),
    ]
    assert found[0].source.name == "source.mp4" and found[0].style.name == "style.png"
    for path, said in ((asked / "notes", "no questions"), (tmp_path / "none", "is not a folder")):
        with pytest.raises(UsageError, match=said):
            questions(path)
    shutil.copy(asked / "walk" / "old.gif", asked / "walk" / "old.mp4")
    with pytest.raises(UsageError, match=r"old\.mp4: old\.gif is called"):
        questions(asked)
    (asked / "walk" / "old.mp4").unlink()
    (asked / "walk" / "old.gif").write_text("no film")
    with pytest.raises(UsageError, match="not a video"):
        questions(asked)


def test_the_pairs_that_come_along_can_be_voted_on() -> None:
    pairs = Path(__file__).parents[2] / "docs" / "pairs"
    found = questions(pairs)
    assert len(found) == 20 and len({question.name for question in found}) == 20
    for question in found:
        sizes = {media.open_clip(path).info.width for path in (question.one, question.other)}
        assert sizes == {256}, question.name


def test_votes_are_kept_and_counted_for_each_two_ways(tmp_path: Path) -> None:
    path = tmp_path / "votes.json"
    ballot = Ballot(path)
    for better, voter in (("new", "a"), ("new", "b"), ("new", "b"), ("", "a"), ("old", "c")):
        ballot.add(vote(better, voter))
    ballot.add(Vote("x", "new", "third", "third", "a", 2.0))
    assert read_votes(path) == ballot.votes == Ballot(path).votes
    first, second = standings(read_votes(path))
    assert (first.one, first.other) == ("new", "old")
    assert (first.better, first.ties, first.worse, first.voters) == (3, 1, 1, 3)
    assert first.share == pytest.approx(0.7) and first.low < 0.7 < first.high
    assert (second.better, second.worse, second.share) == (0, 1, 0)
    assert json.loads(path.read_text())["standings"][0]["share"] == pytest.approx(0.7)


def test_a_vote_that_cannot_be_written_does_not_count(tmp_path: Path) -> None:
    ballot = Ballot(tmp_path / "votes.json")
    ballot.add(vote("new"))
    shutil.rmtree(tmp_path)
    with pytest.raises(OSError):  # whatever the system calls it
        ballot.add(vote("old"))
    assert ballot.votes == [vote("new")]


@pytest.mark.parametrize(
    ("share", "count", "low", "high"),  # by hand, from Wilson's formula
    [(0.5, 10, 0.2366, 0.7634), (0.0, 10, 0.0, 0.2775), (1.0, 20, 0.8389, 1.0)],
)
def test_an_interval_is_wilsons(share: float, count: int, low: float, high: float) -> None:
    assert interval(share, count) == pytest.approx((low, high), abs=1e-4)


def test_what_is_no_file_of_votes_is_refused_and_kept(tmp_path: Path) -> None:
    for content in ("hello", "{}", '{"votes": [{"who": 1}]}'):
        path = tmp_path / "votes.json"
        path.write_text(content)
        with pytest.raises(UsageError, match="is not a file of votes"):
            Ballot(path)
        assert path.read_text() == content
    with pytest.raises(UsageError, match="cannot be read"):
        read_votes(tmp_path / "none.json")
    with pytest.raises(UsageError, match="no such folder"):
        Ballot(tmp_path / "none" / "votes.json")


def test_a_page_asks_each_question_once_and_does_not_say_which_is_which(
    asked: Path, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    ballot = Ballot(tmp_path / "votes.json")
    poll = Poll(questions(asked), ballot, files)
    turn, told, source, style, pair, *_ = poll.begin()
    assert told == "1 of 4" and media.open_clip(pair).info.width == 128
    assert not {"new", "old", "walk", "again"} & {Path(p).stem for p in (source, style, pair)}
    for choice in ("left", "right", "", "left"):
        turn, told, *shown = poll.vote(choice, turn)
    assert turn.at == 4 and "Thank you: 4 votes" in told
    assert [part["visible"] for part in shown] == [False] * 6 + [True] * 2
    assert "new beside old" in shown[6]["value"]
    same, *_ = poll.vote("left", turn)  # a second click does not count
    assert same.at == 4 and len(ballot.votes) == 4
    assert sorted((v.question, *sorted((v.left, v.right))) for v in ballot.votes) == [
        (q.name, q.one.stem, q.other.stem) for q in poll.asked
    ]
    bests = [(v.better == v.left, v.better == v.right) for v in ballot.votes]
    assert bests == [(True, False), (False, True), (False, False), (True, False)]
    other = poll.begin()[0]
    assert other.voter != turn.voter and {v.voter for v in ballot.votes} == {turn.voter}
    orders = {tuple(poll.begin()[0].order) for _ in range(20)}
    assert len(orders) > 5 and {swapped for order in orders for _, swapped in order} == {
        True,
        False,
    }
    assert build(poll) is not None and Turn().order == []


def test_votes_of_several_people_are_counted_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    Ballot(one).add(vote("new"))
    Ballot(other).add(vote("new", "b"))
    shutil.copy(one, tmp_path / "copy.json")  # the same vote, sent twice
    files = [str(one), str(other), str(tmp_path / "copy.json")]
    assert cli.main(["votes", *files]) == 0
    assert "new beside old: 2 better, 0 alike, 0 worse: preferred in 100% of 2" in (
        capsys.readouterr().out
    )
    assert cli.main(["votes", *files, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["voters"] == 2
    assert cli.main(["vote", str(tmp_path), "--no-browser"]) == 2
    assert "no questions" in capsys.readouterr().err


@pytest.mark.parametrize("page", ["studio", "vote"])
def test_a_page_says_what_it_needs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vidstyle.studio.find_spec", lambda name: None)
    assert cli.main([page, str(tmp_path), "--no-browser"]) == 2
    assert 'needs Gradio: pip install "vidstyle[studio]"' in capsys.readouterr().err
