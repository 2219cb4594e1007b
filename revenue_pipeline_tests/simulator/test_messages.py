"""The messages of a world: the same for one seed in any order, told from the send to the last word of a network."""

from datetime import date, datetime, timedelta, timezone

import pytest

from revenue_pipeline.simulator import World
from revenue_pipeline.simulator.messages import HISTORIES, LISTS, OFFERS, Messages

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 14)
START, END = (datetime(2026, 10, 1, tzinfo=timezone.utc), datetime(2026, 11, 1, tzinfo=timezone.utc))
NETWORKS = ("tune", "everflow", "impact", None)


@pytest.fixture(scope="module")
def messages() -> Messages:
    return World(first_day=FIRST, last_day=LAST, scale=1).messages


def days(extra: int = 0) -> list[date]:
    return [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1 + extra)]


def test_one_seed_is_one_story_whatever_day_is_asked_for_first(messages: Messages) -> None:
    again = World(first_day=FIRST, last_day=LAST, scale=1).messages
    for day in reversed(days(3)):
        assert again.clicks(day) == messages.clicks(day)
        assert list(again.sends(day)) == list(messages.sends(day))
        assert again.manual_revenue(day) == messages.manual_revenue(day)
    for network in reversed(NETWORKS):
        assert again.conversions(network, START, END) == messages.conversions(network, START, END)
    other = World(2, first_day=FIRST, last_day=LAST, scale=1).messages
    assert list(other.sends(FIRST)) != list(messages.sends(FIRST))


def test_messages_go_to_people_of_the_world_once_and_on_their_day(messages: Messages) -> None:
    sends = [send for day in days() for send in messages.sends(day)]
    assert len({send.message_id for send in sends}) == len(sends) > 1_000
    for day in days():
        assert {send.sent_at.date() for send in messages.sends(day)} == {day}
        assert list(messages.sends(day)) == sorted(
            messages.sends(day), key=lambda send: (send.sent_at, send.message_id)
        )
    assert {send.sending_list for send in sends} == {sending_list.name for sending_list in LISTS}
    assert {send.offer_id for send in sends} == {offer.offer_id for offer in OFFERS.things}
    assert {send.segments for send in sends} == {1, 2, 3}
    assert all(send.contact_id.rsplit("-", 2)[0] in {"news", "game", "puzzle"} for send in sends)
    assert list(messages.sends(FIRST - timedelta(days=1))) == list(messages.sends(LAST + timedelta(days=1))) == []


def test_every_click_follows_its_message_and_is_on_one_day(messages: Messages) -> None:
    sent = {send.message_id: send.sent_at for day in days() for send in messages.sends(day)}
    clicks = [click for day in days(5) for click in messages.clicks(day)]
    assert len({click.click_id for click in clicks}) == len(clicks)
    assert 0.15 < len(clicks) / len(sent) < 0.25
    assert all(click.clicked_at > sent[click.message_id] for click in clicks)
    assert any(click.clicked_at.date() > sent[click.message_id].date() for click in clicks)


def test_conversions_are_of_clicks_of_strangers_and_of_nobody_and_change_for_weeks(messages: Messages) -> None:
    clicks = {click.click_id: click.clicked_at for day in days(5) for click in messages.clicks(day)}
    found = [each for network in NETWORKS for each in messages.conversions(network, START, END)]
    assert len({each.conversion_id for each in found}) == len({each.number for each in found}) == len(found) > 100
    known = [each for each in found if each.click_id in clicks]
    assert 0.85 < len(known) / len(found) < 1
    assert any(each.click_id is None for each in found)
    assert any((each.click_id or "c").startswith("xc") for each in found)
    assert all(each.converted_at > clicks[each.click_id or ""] - timedelta(seconds=1) for each in known)
    assert all(each.converted_at.microsecond == 0 for each in found)
    assert any(each.is_adjustment and each.history[0].payout < 0 for each in found)
    told = {tuple(state.status for state in each.history) for each in found}
    assert told == {tuple(status for _, status, _ in history) for history in HISTORIES.things}


def test_a_state_is_known_from_its_day_on(messages: Messages) -> None:
    late = next(
        each
        for each in messages.conversions("tune", START, END)
        if each.history[0].since > each.converted_at.date() and len(each.history) == 2
    )
    first, second = late.history
    assert late.state(first.since - timedelta(days=1)) is None
    assert late.state(second.since - timedelta(days=1)) == first
    assert late.state(second.since) == late.state(second.since + timedelta(days=99)) == second


def test_people_upload_sales_twice_others_sales_and_mistakes(messages: Messages) -> None:
    rows = [row for day in days() for row in messages.manual_revenue(day)]
    assert len(set(rows)) < len(rows)
    assert {row.date for row in rows} <= set(days())
    assert any(row.amount == "12,50" for row in rows)
    assert any(row.click_id is None for row in rows)
    synced = {(each.click_id, str(each.history[0].payout)) for each in messages.conversions("tune", START, END)}
    assert any((row.click_id, row.amount) in synced for row in rows)
