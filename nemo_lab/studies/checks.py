"""Checks of settings that several studies make."""

from nemo_lab.errors import LabError


def check_share(name: str, value: float) -> None:
    """Refuse what is no share: below 0 or above 1."""
    if not 0 <= value <= 1:
        raise LabError(f"Parameter {name} is {value}, expected from 0 to 1, such as 0.8.")
