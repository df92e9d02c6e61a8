"""The page on which people vote: two paintings in step, their source, and their style."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from .. import media
from ..settings import Settings
from .beside import Part, write_beside
from .votes import TIE, Ballot, Question, Standing, Vote, in_words, standings
from .words import table

ASKED = """# Which one is better?
Two paintings of the same clip, in the same style. Where they are alike to you, say so."""


@dataclass  # not frozen, because Gradio would require a frozen one to be hashable
class Turn:
    """Where a page is in the questions."""

    voter: str = ""
    order: list[tuple[int, bool]] = field(default_factory=list)
    """Numbers of the questions, and whether the first painting is on the right."""
    at: int = 0
    since: float = 0.0
    """When the question was shown."""


class Poll:
    """The handlers of the page.

    Args:
        asked: the questions.
        ballot: takes the votes.
        files: a private folder for what is shown, under names that say nothing.
    """

    def __init__(self, asked: Sequence[Question], ballot: Ballot, files: Path) -> None:
        self.asked, self.ballot, self.files = asked, ballot, files
        self.shown: dict[tuple[Path, ...], str] = {}

    def begin(self) -> list[Any]:
        """Show the first question of a page, whose questions come in an order of its own.

        Returns:
            The turn; a line of text; the source, the style and the pair; the buttons; the results,
            and the file of votes.
        """
        order = [(number, random.random() < 0.5) for number in range(len(self.asked))]
        random.shuffle(order)
        return self._show(Turn(uuid.uuid4().hex[:8], order))

    def vote(self, choice: str, turn: Turn) -> list[Any]:
        """Count a vote, and show the next question. For what is returned, see ``begin``.

        Args:
            choice: "left", "right", or "" if both are alike.
            turn: of the page.
        """
        if turn.at >= len(turn.order):
            return self._show(turn)
        question, left, right = self._sides(turn)
        better = {"left": left.stem, "right": right.stem}.get(choice, TIE)
        seconds = round(time.time() - turn.since, 1)
        cast = Vote(question.name, left.stem, right.stem, better, turn.voter, seconds)
        try:
            self.ballot.add(cast)
        except OSError as error:
            told = f"{self.ballot.path}: cannot be written ({error.strerror})"
            raise gr.Error(told, print_exception=False) from error
        return self._show(Turn(turn.voter, turn.order, turn.at + 1))

    def _sides(self, turn: Turn) -> tuple[Question, Path, Path]:
        number, is_swapped = turn.order[turn.at]
        question = self.asked[number]
        sides = (question.one, question.other)
        left, right = sides[::-1] if is_swapped else sides
        return question, left, right

    def _show(self, turn: Turn) -> list[Any]:
        gone: dict[str, Any] = {"value": None, "visible": False}
        if turn.at >= len(turn.order):
            cast = [vote for vote in self.ballot.votes if vote.voter == turn.voter]
            told = f"Thank you: {len(cast)} votes. They are in {self.ballot.path.name}."
            results = gr.update(value=_results(standings(self.ballot.votes)), visible=True)
            file = gr.update(value=str(self.ballot.path.absolute()), visible=True)
            hidden = [gr.update(**gone)] * 3 + [gr.update(visible=False)] * 3
            return [turn, told, *hidden, results, file]
        question, left, right = self._sides(turn)
        turn.since = time.time()
        shown = [
            self._video(question.source),
            self._picture(question.style),
            self._video(left, right),
        ]
        buttons = [gr.update(visible=True)] * 3
        told = f"{turn.at + 1} of {len(turn.order)}"
        return [turn, told, *shown, *buttons, gr.update(**gone), gr.update(**gone)]

    def _video(self, *clips: Path) -> str:
        """Return a video of ``clips`` side by side, without sound."""
        if clips not in self.shown:
            path = self.files / f"{uuid.uuid4().hex}.mp4"
            write_beside([Part(media.open_clip(clip), Settings()) for clip in clips], path)
            self.shown[clips] = str(path)
        return self.shown[clips]

    def _picture(self, style: Path) -> str:
        if (style,) not in self.shown:
            path = self.files / f"{uuid.uuid4().hex}.png"
            media.save_image(path, media.read_image(style)[0])
            self.shown[style,] = str(path)
        return self.shown[style,]


def build(poll: Poll) -> gr.Blocks:
    """Build the page of a ``poll``."""
    with gr.Blocks(title="vidstyle vote", analytics_enabled=False) as page:
        gr.Markdown(ASKED)
        turn = gr.State(Turn())
        told = gr.Markdown(elem_id="vote-told")
        about: dict[str, Any] = {"interactive": False, "buttons": []}
        pair = gr.Video(
            label="two paintings", elem_id="pair", loop=True, autoplay=True, height=420, **about
        )
        with gr.Row():
            left = gr.Button("The left one", variant="primary", elem_id="left")
            alike = gr.Button("No difference", elem_id="alike")
            right = gr.Button("The right one", variant="primary", elem_id="right")
        with gr.Row():
            source = gr.Video(
                label="the clip",
                elem_id="vote-source",
                loop=True,
                autoplay=True,
                height=240,
                **about,
            )
            style = gr.Image(label="the style", elem_id="vote-style", height=240, **about)
        results = gr.HTML(visible=False, elem_id="results")
        file = gr.DownloadButton("Download the votes", visible=False, elem_id="votes-file")
        shown = [turn, told, source, style, pair, left, alike, right, results, file]
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        page.load(poll.begin, [], shown, **hidden)
        for button, choice in ((left, "left"), (alike, TIE), (right, "right")):
            button.click(poll.vote, [gr.State(choice), turn], shown, **hidden)
    return page


def _results(found: Sequence[Standing]) -> str:
    """Return how the paintings stand, as HTML."""
    return table([(f"{one.one} beside {one.other}", in_words(one)) for one in found])
