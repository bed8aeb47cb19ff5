"""A stream that is made ahead of its reader, and no further than that."""

import threading

import pytest

from pipeline.engine.prefetch import prefetch


def test_the_items_come_in_their_order():
    assert list(prefetch(range(100))) == list(range(100))
    assert list(prefetch([])) == []


def test_one_item_is_made_while_the_one_before_is_worked_on_and_no_more():
    made = []
    second = threading.Event()

    def items():
        for number in range(5):
            made.append(number)
            if number == 1:
                second.set()
            yield number

    stream = prefetch(items())
    assert next(stream) == 0
    assert second.wait(10)
    assert made == [0, 1]
    assert list(stream) == [1, 2, 3, 4]


def test_an_error_is_raised_at_its_place():
    def items():
        yield 1
        raise ValueError("the second")

    stream = prefetch(items())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="the second"):
        next(stream)


def test_a_stream_can_be_left():
    stream = prefetch(iter(int, 1))
    assert next(stream) == 0
    stream.close()
    with pytest.raises(StopIteration):
        next(stream)
