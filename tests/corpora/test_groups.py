"""Union-find against the plainest way: sets that are merged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.corpora.groups import Groups

COUNT = 12
numbers = st.integers(0, COUNT - 1)
pairs = st.lists(st.tuples(numbers, numbers), max_size=20)


def naive(joined):
    """For each number the smallest of its set."""
    sets = [{number} for number in range(COUNT)]
    for one, other in joined:
        merged = sets[one] | sets[other]
        for member in merged:
            sets[member] = merged
    return [min(members) for members in sets]


def grouped(joined):
    groups = Groups(COUNT)
    for pair in joined:
        groups.join(*pair)
    return groups


@given(pairs)
def test_groups_are_those_of_merged_sets(joined):
    expected, groups = naive(joined), grouped(joined)
    assert groups.roots() == expected
    for one in range(COUNT):
        assert groups.root(one) == expected[one]
        assert [groups.same(one, other) for other in range(COUNT)] == [expected[one] == root for root in expected]


@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(joined, dice):
    shuffled = [pair[:: dice.choice((1, -1))] for pair in joined]
    dice.shuffle(shuffled)
    assert grouped(shuffled).roots() == grouped(joined).roots()


@given(pairs, st.lists(numbers))
def test_asking_changes_nothing(joined, asked):
    groups = Groups(COUNT)
    for pair in joined:
        groups.join(*pair)
        for number in asked:
            groups.root(number)
    assert groups.roots() == naive(joined)


def test_numbers_are_added_one_by_one():
    groups = Groups()
    assert [groups.add() for _ in range(4)] == [0, 1, 2, 3]
    groups.join(3, 1)
    assert groups.add() == 4
    assert groups.roots() == [0, 1, 2, 1, 4]
    assert len(groups) == 5


def test_a_number_that_was_not_added_is_an_error():
    with pytest.raises(IndexError):
        Groups(3).join(0, 3)


def test_a_long_chain_is_followed_without_recursion():
    """Joined from its end, each number hangs below the next smaller one: the longest path there is."""
    count = 50_000
    groups = Groups(count)
    for number in range(count - 1, 0, -1):
        groups.join(number, number - 1)
    assert set(groups.roots()) == {0}
