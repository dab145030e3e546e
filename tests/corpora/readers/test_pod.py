"""POD as a reader sees it."""

from nemo_lab.corpora.readers import pod

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
