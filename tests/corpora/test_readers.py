"""Readers on small inputs whose right reading is known."""

import gzip

import pytest

from nemo_lab.corpora.readers import books, dictd, glosses, html, metamath, pod, rest, roff, sources
from nemo_lab.errors import LabError


def test_dictd_numbers_are_base_64():
    assert [dictd.number(digits) for digits in ("A", "B", "/", "BA", "Eb")] == [0, 1, 63, 64, 283]


def test_dictd_undoes_wrapping_and_removes_marks():
    head = "Daunt \\Daunt\\, v. t. [imp. {Daunted}; p.\n   pr. {Daunting}.]\n"
    raw = head + "   1. To overcome; to\n      conquer. [Obs.]"
    text = dictd.reflow(dictd._SOURCE_MARK.sub("", raw + "\n      [1913 Webster]"), figures=False)
    assert text == "Daunt \\Daunt\\, v. t. [imp. Daunted; p. pr. Daunting.]\n1. To overcome; to conquer. [Obs.]"


def test_dictd_keeps_figures_where_asked():
    figure = "  +----+    +----+\n  | ab |====| cd |"
    assert dictd.reflow(figure, figures=True) == "+----+    +----+\n| ab |====| cd |"
    assert "\n" not in dictd.reflow(figure, figures=False)


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


POD = """\
code before

=head1 NAME

perlx - about C<< $a <=> $b >> and B<I<bold>>

=over 4

=item * first

Text with E<lt>tagE<gt>, L<perlop/"Section">, L<shown|perlre>X<index>.

    my $verbatim = "C<untouched>";

=item *

=back

=begin html

<b>hidden</b>

=end html

=cut

more code
"""


def test_pod_shows_what_a_reader_sees():
    assert pod.plain(POD) == (
        "NAME\n\nperlx - about $a <=> $b and bold\n\n- first\n\n"
        'Text with <tag>, perlop Section, shown.\n\n    my $verbatim = "C<untouched>";'
    )


ROFF = r"""
.\" a comment
.TH accept 2 2022-12-04 "Linux man-pages"
.SH NAME
accept \- accept a \fIconnection\fP
.SH SYNOPSIS
.nf
.B #include <sys/socket.h>
.BI "int accept(int " sockfd ");"
.fi
.SH DESCRIPTION
The
.BR accept ()
call\(emsee
.IR "the guide" ,
costs 3\ \(mcs.
.PP
A backslash: \e; a dash: \-1; \[u00E9].
.TP
.B EAGAIN
Try again.
.IP \(bu 2
bullet
.TS
lb l
l l.
a	b
.TE
.de XX
hidden
..
"""


def test_roff_shows_what_a_reader_sees():
    assert roff.plain(ROFF) == (
        "NAME\n\naccept - accept a connection\n\n"
        "SYNOPSIS\n\n#include <sys/socket.h>\nint accept(int sockfd);\n\n"
        "DESCRIPTION\n\nThe accept() call—see the guide, costs 3 µs.\n\n"
        "A backslash: \\; a dash: -1; é.\n\n"
        "EAGAIN\n\nTry again.\n\n• bullet\n\na\tb"
    )


@pytest.mark.parametrize("source", [".so man2/accept.2\n", ".Dd today\n.Sh NAME\n"])
def test_roff_leaves_pointers_and_mdoc_out(source):
    assert roff.plain(source) == ""


def test_html_shows_what_a_reader_sees():
    page = """<html><head><title>no</title><style>p{}</style></head><body><h1>One</h1><p>Two  <b>three</b>
    four</p><ul><li>a</li><li>b</li></ul><pre>  x\n   y</pre>
    <script>no()</script><!-- no -->five<br>six</body>"""
    assert html.visible_text(page) == "One\n\nTwo three four\n\na\n\nb\n\n  x\n   y\n\nfive\nsix"


def test_html_decodes_bytes_and_survives_depth():
    assert html.visible_text("<p>é</p>".encode()) == "é"
    assert html.visible_text('<meta charset="iso-8859-1"><p>é</p>'.encode("latin-1")) == "é"
    assert "deep" in html.visible_text("<div>" * 1000 + "deep" + "</div>" * 1000)
    for nothing in ("", "   ", b"", "<!-- only -->"):
        with pytest.raises(LabError, match="not readable as HTML"):
            html.visible_text(nothing)


METAMATH = """
$( A comment alone. $)
$( Declare. $)  $c |- wff $.
${
  min $e |- ph $.
  maj $e |- ( ph -> ps ) $.
  $( Rule of
     Modus Ponens. (Contributed by NM, 30-Sep-1992.) $)
  ax-mp $a |- ps $.
$}
$( Identity. (Proof shortened by X (a friend), 1-Jan-2000.) (New usage is discouraged.) $)
id $p |- ( ph -> ph ) $= ( wi ax-1 ) ABC $.
nocomment $p |- x $= ? $.
$( A wff. $) wph $a wff ph $.
"""


def test_metamath_statements_have_the_hypotheses_in_scope():
    assert list(metamath.statements(METAMATH)) == [
        ("ax-mp", "ax-mp. Rule of Modus Ponens.\n  |- ph\n  |- ( ph -> ps )\n  => |- ps"),
        ("id", "id. Identity.\n  |- ( ph -> ph )"),
    ]


def test_brown_tags_and_blanks_go():
    text = "\n\n\tHe/pps said/vbd ``/`` yes/rb ''/'' ,/, and/or/cc (/( so/rb )/) on/rp ./."
    text += "\n\n\n\tNext/ap ?/. ?/.\n"
    assert books.untagged(text) == "He said “yes”, and/or (so) on.\n\nNext??"


def test_novels_are_cut_at_chapters():
    lines = [
        "EMMA",
        "",
        "CHAPTER I",
        "",
        "Emma Woodhouse,",
        "handsome.",
        "",
        "She",
        "CHAPTER II",
        "Mr. Weston",
    ]
    assert books.chapters(lines) == [
        "EMMA",
        "CHAPTER I\n\nEmma Woodhouse, handsome.\n\nShe",
        "CHAPTER II Mr. Weston",
    ]


def test_wordnet_line():
    line = '00002137 03 n 02 abstraction 0 abstract_entity(p) 0 000 | a general concept; "x | y"  '
    assert glosses.synset(line) == (
        "n00002137",
        'abstraction, abstract entity (noun): a general concept; "x | y"',
    )


OBO = """id: HP:1
name: Renal insufficiency
def: "A \\"reduction\\".\\nMore." [ref]
comment: Said.
synonym: "Renal failure" EXACT []
synonym: "renal insufficiency" EXACT []"""


def test_phenotype_is_told():
    told = glosses._told(glosses._fields(OBO))
    assert told == 'Renal insufficiency: A "reduction". More.\nSaid.\nAlso called: Renal failure.'


def test_wikitext_leaves_words():
    source = (
        "{{Infobox|a={{b}}}}'''Anarchism''' is a [[political philosophy|philosophy]]<ref name=x/> of [[x]]."
        "<ref>no</ref>\n{| class=a\n| no\n|}\n== Head ==\n[[File:a.jpg|thumb|no [[no]]]]\n"
        "[http://a.org words] &amp;amp; so."
    )
    assert sources.wikitext(source) == "Anarchism is a philosophy of x.\n\nHead\n\nwords & so."


def test_unix_manuals_reads_gzipped_members(tmp_path, write_archive):
    page = gzip.compress(b".TH x 1\n.SH NAME\nx \\- y\n")
    archive = write_archive(
        tmp_path / "x.deb", {"usr/share/man/man1/x.1.gz": page, "usr/share/man/de/man1/x.1.gz": page}
    )
    assert list(roff.unix_manuals([archive])) == [("x.1", "NAME\n\nx - y")]
