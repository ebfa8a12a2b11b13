"""What a training publishes for a page, and what the page makes it do."""

import time

import pytest

from facewright.core.errors import UserError
from facewright.train.keys import TrainingCommand
from facewright.train.preview_writer import (
    MAX_TIME_SHARE,
    SECONDS_BETWEEN_PREVIEWS,
    SECONDS_BETWEEN_WATCHED,
    PreviewWriter,
)
from facewright.train.status import RunState, StepStats, TrainingStatus
from train.loop_runs import Commands, FaultyTiny, file_in_the_way, new_session, train
from train.tiny import Tiny

pytestmark = pytest.mark.usefixtures("full_precision")
SAVE, LEAVE = TrainingCommand.SAVE, TrainingCommand.LEAVE
NEXT, PREVIEW, RANGE = TrainingCommand.NEXT, TrainingCommand.PREVIEW, TrainingCommand.RANGE


def status_of(session, **given):
    return TrainingStatus(session.history, StepStats(0), **given)


@pytest.fixture
def training(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    return session, sources, status_of(session)


def test_the_status_holds_what_the_training_knows(tmp_path, faces):
    model = FaultyTiny(lambda step: "loss" if step == 4 else None)
    session, sources = new_session(tmp_path, faces, model=model)
    status = status_of(session)
    status.send(SAVE)
    train(
        session,
        sources,
        commands=status,
        preview=PreviewWriter(session, sources, status=status),
        status=status,
        target=9,
    )
    stats = status.stats
    assert (stats.iteration, stats.saved, stats.skipped, stats.saving) == (9, 9, 1, False)
    assert stats.losses == session.history.mean(50) and stats.milliseconds > 0
    assert status.state is RunState.TRAINING and len(status.history) == 9
    assert (status.preview.iteration, status.preview.titles[-1]) == (9, "dst as src")
    assert status.preview.image.shape == (512, 640, 3)
    warnings = [message.text for message in status.messages() if message.attention]
    assert len(warnings) == 1 and "iteration 3" in warnings[0]
    assert "Saved iteration 1" in status.messages()[-1].text


def test_a_rollback_is_published_with_the_history_of_before(tmp_path, faces):
    model = FaultyTiny(lambda step: "loss" if 4 <= step < 9 else None)
    session, sources = new_session(tmp_path, faces, model=model)
    status = status_of(session)
    train(session, sources, commands=status, status=status, target=5)
    assert any("saved iteration 0" in message.text for message in status.messages())
    assert status.history is session.history and len(status.history) == 5


def test_leaving_from_the_page_saves(training):
    session, sources, status = training
    status.send(LEAVE)
    result = train(session, sources, commands=status, status=status)
    assert (result.reason, session.saved_iteration) == ("key", 1)


def test_leaving_with_a_full_disk_continues_until_there_is_room(training):
    session, sources, status = training
    blocked = file_in_the_way(session.folder)

    class Impatient(Commands):
        def poll(self):
            if self.polls == 1:
                blocked.__enter__()
            elif self.polls == 5:
                blocked.__exit__(None, None, None)
            return super().poll()

    commands = Impatient(_2=LEAVE, _4=LEAVE, _6=LEAVE)
    result = train(session, sources, commands=commands, status=status)
    assert commands.polls == 6 and (result.reason, session.saved_iteration) == ("key", 6)
    warnings = [message.text for message in status.messages() if message.attention]
    assert len(warnings) == 2 and "iteration 0" in warnings[0] and str(session.folder) in warnings[0]


def test_a_target_with_a_full_disk_says_what_is_lost(training):
    session, sources, status = training
    with file_in_the_way(session.folder), pytest.raises(UserError, match=r"iteration 0.* is lost"):
        train(session, sources, status=status, target=3)


def test_many_buttons_draw_one_preview(training):
    session, sources, status = training
    preview = PreviewWriter(session, sources, status=status)
    preview.refresh()
    version = status.preview.version
    for command in (NEXT, NEXT, PREVIEW, RANGE, LEAVE):
        status.send(command)
    train(session, sources, commands=status, preview=preview, status=status)
    assert status.preview.version == version + 2  # one for the buttons, one at the end


def test_previews_come_sooner_while_a_page_is_open(training):
    session, sources, _ = training
    now = [1000.0]
    status = status_of(session, clock=lambda: now[0])
    preview = PreviewWriter(session, sources, status=status, clock=lambda: now[0])
    drawn = []
    for open_ in (False, True):
        for _ in range(120):
            now[0] += 1
            before = status.preview
            if open_:
                status.note_request()
            preview.refresh_if_due()
            drawn.append(status.preview is not before)
    assert sum(drawn[:120]) == 120 // SECONDS_BETWEEN_PREVIEWS
    assert sum(drawn[120:]) == 120 // SECONDS_BETWEEN_WATCHED


def test_a_preview_that_takes_long_is_drawn_seldom_even_then(tmp_path, faces):
    now = [1000.0]

    class Slow(Tiny):
        def preview(self, batches):
            now[0] += 2
            return super().preview(batches)

    session, sources = new_session(tmp_path, faces, model=Slow(Slow.Options()))
    status = status_of(session, clock=lambda: now[0])
    preview = PreviewWriter(session, sources, status=status, clock=lambda: now[0])
    began, spent = now[0], 0.0
    while now[0] < began + 1000:
        now[0] += 1
        status.note_request()
        before = now[0]
        preview.refresh_if_due()
        spent += now[0] - before
    assert 0.01 * 1000 < spent <= MAX_TIME_SHARE * 1000 + 2


def test_a_full_disk_does_not_make_it_draw_all_the_time(training):
    session, sources, status = training

    class Full(PreviewWriter):
        tries = 0

        @property
        def path(self):
            self.tries += 1
            raise UserError("The disk is full.", "space", "make some")

    preview = Full(session, sources, status=status)
    train(session, sources, preview=preview, status=status, target=30)
    assert preview.tries == 2  # the first, and the one at the end
    assert any("The disk is full." in message.text for message in status.messages())


def test_after_the_target_the_open_page_still_gets_previews(training):
    session, sources, status = training

    class Page:
        """Asks at every poll; other faces, then a save that comes too late, then the end."""

        late_polls = 0

        def poll(self):
            status.note_request()
            if status.state is not RunState.REACHED:
                return []
            self.late_polls += 1
            return {1: [NEXT], 2: [SAVE], 3: [LEAVE]}.get(self.late_polls, [])

    page = Page()
    preview = PreviewWriter(session, sources, status=status)
    result = train(session, sources, commands=page, preview=preview, status=status, target=3, wait_for_close=True)
    assert result.reason == "target"
    assert page.late_polls == 3 and session.iteration == 3 and status.state is RunState.REACHED
    assert status.messages()[0].at <= time.monotonic() and "target" in status.messages()[0].text
