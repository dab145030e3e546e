"""The sentence that refuses a name."""

from nemo_lab.errors import one_of


def test_refusal_suggests_and_lists():
    sentence = one_of("scale", "lptop", ["smoke", "laptop"])
    assert sentence == "Unknown scale 'lptop', did you mean 'laptop'; valid: smoke, laptop."
    assert "mean" not in one_of("scale", "zzz", ["smoke"])
    assert one_of("knob", "x", []).endswith("valid: none.")
