"""Requests in line: each is answered in its turn, those beyond the limits are told to come again."""

import asyncio

import pytest
from fastapi import Request

from assay.serve.refusal import Refused
from assay.serve.turns import Limits, Turns


def request(*parts: bytes, length: int | None = None) -> Request:
    messages = [
        {"type": "http.request", "body": part, "more_body": n < len(parts)}
        for n, part in enumerate(parts, start=1)
    ]

    async def receive():
        return messages.pop(0)

    head = [] if length is None else [(b"content-length", b"%d" % length)]
    return Request({"type": "http", "headers": head}, receive)


async def taken(turns: Turns, asked: Request) -> bytes:
    async with turns.body_of(asked) as body:
        return bytes(body)


def test_as_many_as_allowed_work_at_once_and_all_get_their_turn():
    turns, at_once = Turns(Limits(side_by_side=3, waiting=100)), []

    async def work() -> None:
        async with turns.turn(10):
            at_once.append(1)
            assert len(at_once) <= 3
            await asyncio.sleep(0)
            at_once.pop()

    async def all_of_them() -> None:
        await asyncio.gather(*(work() for _ in range(100)))

    asyncio.run(all_of_them())


def test_a_large_request_does_not_keep_small_ones_waiting():
    turns = Turns(Limits(side_by_side=1, large=100, waiting=2))

    async def work() -> None:
        async with turns.turn(101), turns.turn(100):
            pass

    asyncio.run(work())


@pytest.mark.parametrize("limits", [{"waiting": 0}, {"wait_s": 0}])
def test_beyond_the_line_or_its_time_the_answer_is_503_with_a_time(limits):
    turns = Turns(Limits(side_by_side=1, **limits))

    async def work() -> None:
        async with turns.turn(1), turns.turn(1):
            pass

    if "waiting" in limits:
        turns._n_waiting = 0
    with pytest.raises(Refused) as error:
        asyncio.run(work())
    assert (error.value.status, error.value.headers) == (503, {"Retry-After": "1"})
    assert "Send this one again" in str(error.value.sentence)


@pytest.mark.parametrize("length", [None, 11, 10**30])
def test_a_body_beyond_the_limit_is_not_held_whatever_it_announces(length):
    turns = Turns(Limits(body=10))

    assert asyncio.run(taken(turns, request(b"12345", b"67890"))) == b"1234567890"
    with pytest.raises(Refused) as error:
        asyncio.run(taken(turns, request(b"12345", b"678901", length=length)))
    assert error.value.status == 413


def test_large_bodies_share_a_bound_that_small_ones_do_not_need():
    """Whoever holds all of it keeps nobody out who asks for a few rows."""
    turns = Turns(Limits(bodies=100_000))
    large = b"a" * 150_000

    async def work() -> None:
        async with turns.body_of(request(large)):
            assert await taken(turns, request(b"small")) == b"small"
            with pytest.raises(Refused) as error:
                await taken(turns, request(large))
            assert error.value.status == 503
        assert await taken(turns, request(large)) == large

    asyncio.run(work())
