"""Groups that grow together: documents joined pair by pair, each group known by its first document.

Whoever looks for duplicates finds pairs and wants groups: a is like b, b is like c, so all three are one. That is
the union-find structure (Galler and Fisher, CACM 1964). Every number points to one of its group that is not larger,
the smallest to itself; `root` follows the pointers and on its way lets each number skip one, which keeps paths
short (path halving: Tarjan and van Leeuwen, JACM 1984).

Relative to the textbook: the larger root is hung below the smaller one, never by size or rank. The representative is
then the smallest member whatever the order of the pairs, so that results do not depend on how a run was interrupted.
A number takes 8 bytes.
"""

from array import array


class Groups:
    """Disjoint groups of the numbers 0, 1, 2, …; each starts alone, and its smallest member names the group."""

    def __init__(self, count: int = 0) -> None:
        self._above = array("q", range(count))

    def __len__(self) -> int:
        """How many numbers there are, in whatever groups."""
        return len(self._above)

    def add(self) -> int:
        """Add the next number, alone in its group, and return it."""
        self._above.append(len(self._above))
        return len(self._above) - 1

    def join(self, one: int, other: int) -> None:
        """Make the groups of two numbers one; nothing happens if they are one already."""
        low, high = sorted((self.root(one), self.root(other)))
        self._above[high] = low

    def root(self, number: int) -> int:
        """Return the smallest member of a number's group.

        Raises:
            IndexError: there is no such number.
        """
        above = self._above
        while above[number] != number:
            above[number] = number = above[above[number]]
        return number

    def same(self, one: int, other: int) -> bool:
        """Return whether two numbers are in one group."""
        return self.root(one) == self.root(other)

    def roots(self) -> list[int]:
        """Return for each number, in order, the smallest member of its group."""
        return [self.root(number) for number in range(len(self._above))]
