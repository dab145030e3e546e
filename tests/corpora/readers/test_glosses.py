"""Entries of WordNet and of the phenotype ontology, told in a line."""

from nemo_lab.corpora.readers import glosses


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
