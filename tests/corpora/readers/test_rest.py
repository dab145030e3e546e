"""reStructuredText as a reader sees it."""

from nemo_lab.corpora.readers import rest

REST = """\
:mod:`bisect` --- Array bisection
=================================

.. module:: bisect
   :synopsis: hidden

.. index:: single: hidden
   more hidden

**Source:** :source:`Lib/bisect.py`, see :func:`~heapq.heappush` and :ref:`the guide <guide>`.

.. function:: bisect_left(a, x, *, key=None)

   Locate *x* in ``a``::

      for *x* in ``a``: pass

   Done.  A `link <https://example.org>`_ over `two
   lines <https://example.org>`__.

.. note::

   Said here.

.. versionadded:: 3.10
   The *key*.

>>> 2 ** 3 ** 1
8

.. a comment
   hidden too
"""


def test_rest_shows_what_a_reader_sees():
    text = rest.plain(REST)
    assert "hidden" not in text
    assert "Source: Lib/bisect.py, see heappush and the guide." in text
    assert "bisect_left(a, x, *, key=None)" in text
    assert "   Locate x in a:\n\n      for *x* in ``a``: pass" in text, "literal blocks stay untouched"
    assert "A link over two lines." in text
    assert "Note:\n\n   Said here." in text
    assert "New in version 3.10\n   The key." in text
    assert ">>> 2 ** 3 ** 1" in text
    assert "====" not in text
    assert ".." not in text.replace("...", "")
