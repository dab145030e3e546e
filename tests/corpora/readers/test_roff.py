"""Manual pages as a reader sees them."""

import gzip

import pytest

from nemo_lab.corpora.readers import roff

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


def test_unix_manuals_reads_gzipped_members(tmp_path, write_archive):
    page = gzip.compress(b".TH x 1\n.SH NAME\nx \\- y\n")
    archive = write_archive(
        tmp_path / "x.deb", {"usr/share/man/man1/x.1.gz": page, "usr/share/man/de/man1/x.1.gz": page}
    )
    assert list(roff.unix_manuals([archive])) == [("x.1", "NAME\n\nx - y")]
