"""Statements of Metamath with their hypotheses."""

from nemo_lab.corpora.readers import metamath

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
