"""Tables of the data cards, as lists of cells."""

import re


def rows(first_column: str, card: str) -> list[list[str]]:
    """The table whose first column has this title, without its head."""
    table = card[card.index(f"| {first_column} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def cells(card: str) -> list[list[str]]:
    """The rows of the card's table, without its head and without the marks of code."""
    lines = [line for line in card.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in lines]
