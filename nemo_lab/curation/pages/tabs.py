"""Labels of tabs go to the head of their panels: without them two panels, one a language, cannot be told apart.

All panels of a page come out, one below the other, but their labels stand together in a list that is furniture to a
renderer, or in buttons, which are removed. A label says of its panel what a heading would, so that is where it goes.
Which panel is a tab's is told by ARIA (`aria-controls`, `aria-labelledby`), by a link to it, or by the order of both.

Tabs without panels in the page stay where they are: those are links to other pages.
"""

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from nemo_lab.curation.formulas.tree import removed, tag_of
from nemo_lab.curation.pages.chrome import is_panel

_TABS = "//*[@role='tab'] | //*[contains(concat(' ', @class, ' '), ' tabbed-labels ')]/label"
_LONGEST = 100  # characters of a label
_NO_LABEL = re.compile(r"(?:slide|page|go to|image|photo)\b|[\W\d_]*$", re.IGNORECASE)  # dots below a row of pictures
_HOLDERS = frozenset(("div", "section", "article", "main", "form", "fieldset"))  # what a list may stand in


def label_panels(root: Any) -> None:
    """Move the labels of tabs into their panels, in place."""
    tabs = root.xpath(_TABS)
    for tab, panel in list(_pairs(root, tabs)) if tabs else ():
        label = " ".join("".join(tab.itertext()).split())
        if len(label) > _LONGEST or _NO_LABEL.match(label) or _is_one_in_other(tab, panel):
            continue
        panel.set("role", "tabpanel")
        around = tab.getparent()
        removed(tab)
        if not _begins(panel, label):
            _put_before(panel, tab)
        if tag_of(around) == "li" and not "".join(around.itertext()).strip() and around.getparent() is not None:
            removed(around)


def _pairs(root: Any, tabs: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each tab that has a panel, with the panel; none twice."""
    named = {one.get("id"): one for one in root.xpath("//*[@id]")}
    labelled = {one.get("aria-labelledby"): one for one in root.xpath("//*[@role='tabpanel'][@aria-labelledby]")}
    used: set[Any] = set()
    alone: dict[Any, list[Any]] = {}
    for tab in tabs:
        panel = _named_panel(tab, named, labelled)
        if panel is None:
            alone.setdefault(_list_of(tab).getparent(), []).append(tab)
        elif panel not in used:
            used.add(panel)
            yield tab, panel
    for whole, group in alone.items():
        panels = [one for one in _panels_in(whole) if one not in used]
        if len(panels) == len(group):
            used.update(panels)
            yield from zip(group, panels, strict=True)


def _named_panel(tab: Any, named: dict[str, Any], labelled: dict[str, Any]) -> Any | None:
    links = (one.get("href") or "" for one in tab.iter("a"))
    targets = (tab.get("aria-controls"), *(link[1:] for link in links if link.startswith("#")))
    found = next((named[target] for target in targets if target in named), None)
    return labelled.get(tab.get("id") or "") if found is None else found


def _list_of(tab: Any) -> Any:
    """Return the list that a tab stands in."""
    return next((one for one in tab.iterancestors() if one.get("role") == "tablist"), tab.getparent())


def _panels_in(whole: Any | None) -> list[Any]:
    """Return the panels of an element that lists of tabs stand in: its children, or theirs."""
    if whole is None or tag_of(whole) not in _HOLDERS:
        return []
    blocks = whole.xpath("./*[contains(concat(' ', @class, ' '), ' tabbed-content ')]/*")
    return blocks or list(chain.from_iterable(map(_panels_at, whole.iterchildren())))


def _panels_at(element: Any) -> list[Any]:
    if not tag_of(element) or _is_bare_panel(element):
        return [element] if tag_of(element) else []
    return [one for one in element.iterchildren() if tag_of(one) and _is_bare_panel(one)]


def _is_bare_panel(element: Any) -> bool:
    """Return whether it is the panel of one tab, and not what holds all panels."""
    if element.get("role"):
        return bool(element.get("role") == "tabpanel")
    return is_panel(element) and not any(map(is_panel, islice(element.iterchildren(), 3)))


def _is_one_in_other(tab: Any, panel: Any) -> bool:
    return tab is panel or tab in panel.iterancestors() or panel in tab.iterancestors()


def _begins(panel: Any, label: str) -> bool:
    """Return whether a panel says its label itself."""
    text = " ".join(" ".join(islice(panel.itertext(), 20)).split())
    return text[: len(label) + 1].strip().lower() == label.lower()


def _put_before(panel: Any, tab: Any) -> None:
    """Put what a tab says before what its panel says, as an item: a short line that comes often would be furniture."""
    item = panel.makeelement("li")
    item.text = tab.text
    item.extend(list(tab))
    held = panel.makeelement("ul")
    held.append(item)
    if tag_of(panel) in ("pre", "table", "ul", "ol"):
        panel.addprevious(held)
        return
    held.tail, panel.text = panel.text, None
    panel.insert(0, held)
