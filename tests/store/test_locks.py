import os
import signal

import pytest


def test_a_lock_is_waited_for_and_released_when_its_holder_is_killed(store, holder):
    waited = []

    def kill_when_waiting() -> None:
        waited.append(True)
        os.kill(holder.pid, signal.SIGKILL)

    with store.lock("run", waiting=kill_when_waiting):
        assert waited == [True]
    assert holder.wait() == -signal.SIGKILL


def test_a_free_lock_is_not_waited_for_and_may_be_entered_twice(store):
    def waiting() -> None:
        raise AssertionError

    with store.lock("run", waiting), store.lock("run", waiting):
        pass
    with store.lock("run", waiting):
        pass


def test_other_names_are_other_locks(store, holder):
    with store.lock("another", waiting=lambda: pytest.fail("waited")):
        pass
