"""Names of HTML elements by what the pass over a page does with them."""

ACTIVE = frozenset(
    (
        "script",
        "style",
        "template",
        "iframe",
        "frame",
        "object",
        "embed",
        "applet",
        "link",
        "meta",
        "base",
        "input",
        "select",
        "button",
        "textarea",
        "svg",
        "canvas",
        "audio",
        "video",
        "map",
        "area",
        "source",
        "track",
        "param",
        "dialog",
        "img",
        "noframes",
        "mjx-assistive-mml",
        "head",
        "title",
        "label",
        "datalist",
    )
)
# Of these, what holds nothing that a reader could read: it is dropped without being looked at.
SILENT = frozenset(
    (
        "script",
        "style",
        "link",
        "meta",
        "base",
        "input",
        "img",
        "svg",
        "canvas",
        "map",
        "area",
        "source",
        "track",
        "param",
        "head",
        "title",
        "mjx-assistive-mml",
    )
)
CODE_TAGS = frozenset(
    (
        "pre",
        "code",
        "tt",
        "kbd",
        "samp",
        "xmp",
        "listing",
        "textarea",
        "script",
        "style",
    )
)
STRUCK = frozenset(("del", "ins", "s", "strike"))
YOUNGER = frozenset(
    (
        "article",
        "section",
        "main",
        "header",
        "footer",
        "aside",
        "nav",
        "hgroup",
        "figure",
        "figcaption",
        "details",
        "summary",
        "search",
        "optgroup",
        "option",  # outside a list to choose from, of which lynx would print the text later, on another page of a batch
        "comment",  # none of HTML's, so that browsers show it
    )
)
