"""Votes on pairs of paintings: which of two is better, without their names."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from threading import Lock

from .. import media
from ..core.errors import UsageError
from ..core.files import write_whole

DEVIATIONS = 1.96
"""Standard deviations on both sides of the mean that hold 95 % of a normal distribution."""
TIE = ""
"""The better one of two that are alike."""


@dataclass(frozen=True)
class Question:
    """Two paintings of a clip in the same style."""

    name: str
    source: Path
    style: Path
    one: Path
    other: Path


@dataclass(frozen=True)
class Vote:
    """What a person thinks of two paintings."""

    question: str
    """The name of the question."""
    left: str
    right: str
    """The names of the paintings, as they were shown."""
    better: str
    """The name of the better one, or ``TIE``."""
    voter: str
    """Tells people from each other, without saying who they are."""
    seconds: float
    """How long it took."""


@dataclass(frozen=True)
class Standing:
    """How often one way of painting was preferred to another one."""

    one: str
    other: str
    better: int
    """Votes for ``one``."""
    ties: int
    worse: int
    """Votes for ``other``."""
    voters: int
    share: float
    """The share of votes for ``one``, with half of each tie."""
    low: float
    high: float
    """The 95 % confidence interval of ``share`` (Wilson 1927).

    It takes votes for independent, which those of one person are not quite.
    """


def questions(folder: Path) -> list[Question]:
    """Find the questions in a folder.

    Each has a folder of its own with a ``source`` and a ``style`` of any format, and the paintings,
    called by how they were painted. Of more than two, each two are a question.

    Raises:
        UsageError: there is none, one of its files cannot be read, or two are called the same.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: is not a folder of questions")
    found = []
    for inside in sorted(path for path in folder.iterdir() if path.is_dir()):
        parts: dict[str, Path] = {}
        for path in sorted(path for path in inside.iterdir() if path.name[0] != "."):
            if parts.setdefault(path.stem, path) is not path:
                raise UsageError(f"{path}: {parts[path.stem].name} is called the same")
        source, style = parts.pop("source", None), parts.pop("style", None)
        if source is None or style is None or len(parts) < 2:
            continue
        media.read_image(style)
        for path in (source, *parts.values()):
            media.open_clip(path)
        for one, other in combinations(parts.values(), 2):
            found.append(Question(inside.name, source, style, one, other))
    if not found:
        raise UsageError(
            f"{folder}: no questions: each is a folder with a source, a style and two paintings"
        )
    return found


class Ballot:
    """The votes in a file, which is written anew with each vote.

    Args:
        path: the file. Votes that are there are kept.

    Raises:
        UsageError: the file is not one of votes, or cannot be in that folder.
    """

    def __init__(self, path: Path) -> None:
        if not path.absolute().parent.is_dir():
            raise UsageError(f"{path}: cannot be written (there is no such folder)")
        self.path, self.lock = path, Lock()
        self.votes = read_votes(path) if path.exists() else []

    def add(self, vote: Vote) -> None:
        """Add a vote.

        Raises:
            OSError: the file cannot be written.
        """
        with self.lock:
            votes = [*self.votes, vote]
            facts = {
                "votes": [asdict(one) for one in votes],
                "standings": [asdict(standing) for standing in standings(votes)],
            }
            write_whole(self.path, json.dumps(facts, indent=1).encode())
            self.votes = votes  # last, or a vote that was not written would count


def read_votes(path: Path) -> list[Vote]:
    """Read the votes in a file.

    Raises:
        UsageError: it cannot be read, or is not a file of votes.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return [Vote(**vote) for vote in facts["votes"]]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: is not a file of votes") from error


def standings(votes: Iterable[Vote]) -> list[Standing]:
    """Count votes for each two ways of painting, over all questions."""
    counted: dict[tuple[str, str], list[Vote]] = {}
    for vote in votes:
        one, other = sorted((vote.left, vote.right))
        counted.setdefault((one, other), []).append(vote)
    return [_standing(one, other, cast) for (one, other), cast in sorted(counted.items())]


def _standing(one: str, other: str, votes: Sequence[Vote]) -> Standing:
    better, worse = (sum(vote.better == name for vote in votes) for name in (one, other))
    ties = len(votes) - better - worse
    share = (better + ties / 2) / len(votes)
    voters = len({vote.voter for vote in votes})
    return Standing(one, other, better, ties, worse, voters, share, *interval(share, len(votes)))


def in_words(standing: Standing) -> str:
    """Return a line about how two ways of painting stand."""
    votes = standing.better + standing.ties + standing.worse
    return (
        f"{standing.better} better, {standing.ties} alike, {standing.worse} worse: preferred in "
        f"{standing.share:.0%} of {votes} (95 %: {standing.low:.0%} to {standing.high:.0%})"
    )


def interval(share: float, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % confidence interval of a ``share`` of so many votes."""
    middle = share + DEVIATIONS**2 / (2 * count)
    spread = DEVIATIONS * math.sqrt(share * (1 - share) / count + DEVIATIONS**2 / (4 * count**2))
    whole = 1 + DEVIATIONS**2 / count
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)
