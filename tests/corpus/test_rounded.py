"""Ids rounded and written as plain digits: found by how many of a column end alike; those of platforms stay."""

import random

import pyarrow as pa
import pytest

from pipeline.corpus.rounded import rounded


def excel(number):
    return number // 10 ** (len(str(number)) - 15) * 10 ** (len(str(number)) - 15)


def javascript(number):
    """Its shortest decimal, as JavaScript writes numbers below 1e21."""
    mantissa, exponent = f"{float(number)!r}e".replace(".0", "").split("e")[:2]
    return int(mantissa.replace(".", "").ljust(int(exponent) + 1, "0")) if exponent else int(mantissa)


WAYS = {"excel": excel, "javascript": javascript, "floats": lambda number: int(float(number))}


def numbers(count, digits, seed=0):
    draw = random.Random(seed)
    return [draw.randrange(10 ** (digits - 1), 9 * 10 ** (digits - 1)) for _ in range(count)]


def found(ids):
    return rounded(pa.array(list(dict.fromkeys(map(str, ids))), pa.string())).tolist()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("digits", [18, 19])
def test_rounded_ids_are_found(way, digits):
    assert all(found(map(WAYS[way], numbers(60, digits)))) and all(found(map(WAYS[way], numbers(6, digits))))


@pytest.mark.parametrize("way", ["excel", "floats"])  # of JavaScript's, one digit shorter, some pass beside whole ones
@pytest.mark.parametrize("digits", [18, 19])
def test_whole_ids_beside_rounded_ones_are_not_found(way, digits):
    ids = [WAYS[way](number) for number in numbers(60, digits)]
    whole = [number for number in numbers(300, digits, seed=1) if WAYS[way](number) != number]
    assert found([*whole, *ids, "alice", "7"]) == [False] * len(whole) + [True] * 60 + [False] * 2


def test_two_people_of_many_digits_are_enough():
    assert all(found([1234567890123450000, 1234567890987650000]))
    assert not any(found([120034000001000000, "120034000001234567"]))


@pytest.mark.parametrize("digits", range(15, 20))
def test_whole_ids_are_left_alone(digits):
    wrong = sum(any(found(numbers(count, digits, seed))) for seed in range(40) for count in (2, 30, 400))
    assert wrong <= 1  # 120 tables, of which one in ten thousand may be wrong


@pytest.mark.parametrize("most", [0, 5, 4095])
def test_ids_made_of_a_time_and_a_counter_that_begins_anew_are_left_alone(most):
    draw = random.Random(0)
    ids = [draw.randrange(2**38, 2**40) << 22 | draw.randrange(1024) << 12 | draw.randint(0, most) for _ in range(3000)]
    assert not any(found(ids))


def test_nothing_long_and_nothing_at_all():
    assert found([]) == [] and not any(found(["", "100001", "x1234567890123450000", "0000000000000000000"]))
