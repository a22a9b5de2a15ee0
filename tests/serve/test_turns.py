"""Requests in line: each is answered in its turn, those beyond the limits are told to come again."""

import asyncio
import time
import traceback
from functools import partial
from threading import Event

import pytest
from fastapi import Request

from assay.serve.refusal import Refused
from assay.serve.turns import Limits, Turns
from assay.wording import Sentence


def request(*parts: bytes, length: int | None = None) -> Request:
    messages = [
        {"type": "http.request", "body": part, "more_body": n < len(parts)}
        for n, part in enumerate(parts, start=1)
    ]

    async def receive():
        if not messages:
            await asyncio.Event().wait()  # until the client goes
        return messages.pop(0)

    head = [] if length is None else [(b"content-length", b"%d" % length)]
    return Request({"type": "http", "headers": head}, receive)


async def taken(turns: Turns, asked: Request) -> bytes:
    async with turns.body_of(asked) as body:
        return bytes(body)


def worked(turns: Turns, works: list, n_bytes: int = 1) -> list:
    """Return what comes of works that are asked for at once."""

    async def all_of_them() -> list:
        asked = [turns.work(work, n_bytes, request()) for work in works]
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(all_of_them())


def test_a_full_line_of_large_requests_leaves_room_for_small_ones():
    turns = Turns(Limits(large=100, waiting=2))
    done = Event()

    async def asked() -> int:
        large = [
            asyncio.create_task(turns.work(done.wait, 101, request())) for _ in range(3)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Refused):
            await turns.work(done.wait, 101, request())
        answer = await turns.work(lambda: 7, 1, request())
        done.set()
        await asyncio.gather(*large)
        return answer

    assert asyncio.run(asked()) == 7


@pytest.mark.parametrize(("n_bytes", "most"), [(1, 3), (101, 1)])
def test_few_work_at_once_and_all_get_their_turn(n_bytes, most):
    turns, working, seen = Turns(Limits(side_by_side=3, large=100)), set(), []

    def work(number: int) -> int:
        working.add(number)
        seen.append(len(working))
        time.sleep(0.001)
        working.remove(number)
        return number

    works = [partial(work, number) for number in range(100)]
    assert worked(turns, works, n_bytes) == [*range(100)]
    assert max(seen) <= most


def test_large_requests_do_not_keep_small_ones_waiting():
    turns, small_is_done = Turns(Limits(side_by_side=1, large=100)), Event()

    async def both() -> None:
        large = turns.work(lambda: small_is_done.wait(30), 101, request())
        small = turns.work(small_is_done.set, 100, request())
        assert (await asyncio.gather(large, small))[0]

    asyncio.run(both())


@pytest.mark.parametrize("limits", [{"waiting": 1}, {"wait_s": 0.01}])
def test_beyond_the_line_or_its_time_the_answer_is_503_with_a_time(limits):
    turns, refused = Turns(Limits(side_by_side=1, **limits)), Event()

    async def work() -> None:
        asked = [turns.work(lambda: refused.wait(30), 1, request()) for _ in range(3)]
        for first in asyncio.as_completed(asked):
            with pytest.raises(Refused) as error:
                await first
            break
        refused.set()
        assert (error.value.status, error.value.headers) == (503, {"Retry-After": "1"})
        assert "Send this one again" in str(error.value.sentence)

    asyncio.run(work())


def test_a_refusal_holds_on_to_nothing_that_was_sent():
    def work() -> None:
        sent = "what was sent"
        raise Refused(422, Sentence("serve.shape")) from ValueError(sent)

    (refused,) = worked(Turns(Limits()), [work])
    frames = traceback.extract_tb(refused.__traceback__)

    assert refused.status == 422
    assert "work" not in {frame.name for frame in frames if frame.filename == __file__}
    assert refused.__cause__ is refused.__context__ is None


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
