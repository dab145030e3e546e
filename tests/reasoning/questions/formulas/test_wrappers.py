"""What stands around an answer comes off, and nothing of the answer with it."""

import pytest

from nemo_lab.reasoning.questions.formulas.wrappers import unwrapped


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("73", "73"),
        (" **73** ", "73"),
        ("*73*", "73"),
        ("`73`", "73"),
        ("```latex\n73\n```", "73"),
        ("$73$", "73"),
        ("$$\n73\n$$", "73"),
        (r"\(73\)", "73"),
        (r"\[73\].", "73"),
        (r"\begin{align*}73\end{align*}", "73"),
        (r"$\boxed{73}$", "73"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\fbox{73}", "73"),
        ("**Final Answer:** 73", "73"),
        ("The final answer is $73$. I hope it is correct.", "73"),
        ("Answer: 73\n\nFor the proof see above.", "73"),
        (r"\$18.90", r"\$18.90"),
        ("$5 and $6", "$5 and $6"),
        ("Therefore the number of them is **73**.", "73"),
        (r"The solution is \(x>5\) here.", "x>5"),
        ("It is not **73**.", "It is not **73"),
        ("We get a total of $5$.", "5"),
        ("It is half of $5$", "It is half of  5"),
        ("It is $5$ squared", "It is  5  squared"),
        ("Of 3 there are $5$", "Of 3 there are  5"),
        ("There are $5$ or so", "There are  5  or so"),
        ("$5$ and $6$", "5  and  6"),
        ("1, 2, ...", "1, 2, ..."),
    ],
)
def test_wrappers_come_off(text, answer):
    assert unwrapped(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed{1}, then \boxed{2}", "2"),
        (r"\boxed{1} and \boxed{2}", "1, 2"),
        (r"$x=\boxed{5}$", "5"),
        (r"\boxed{28}\%", r"28\%"),
        (r"\boxed{90}^\circ", r"90^\circ"),
        (r"\boxed{\boxed{5}}", "5"),
        (r"\boxed{5", r"\boxed{5"),
        (r"\text{Answer: }\boxed{5}", "5"),
        (r"it is\boxed{5}", "5"),
        (r"\boxed{5}\text{ cm}", "5"),
        (r"\boxed{a\}b}", r"a\}b"),
        (r"\boxed{1} \quad \text{and} \quad \boxed{2}", "1, 2"),
        (r"\(\boxed{1}\) and \(\boxed{2}\).", "1, 2"),
        (r"\equiv \boxed{9} \pmod{11}", "9"),
        (r"\underline{\underline{5}}", "5"),
        ("答案：$5$", "5"),
    ],
)
def test_boxes(text, answer):
    assert unwrapped(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{5}+100",
        r"2\cdot\boxed{5}",
        r"\boxed{5}x",
        r"3-\boxed{5}",
        r"\boxed{5}^2",
        r"\boxed{5}\pi",
        r"\boxed{5} million",
        r"\boxed{5}\text{ dozen}",
        r"\frac12{x}\boxed{5}",
        r"2\boxed{5}",
        r"\frac{1}{\boxed{5}}",
        r"\frac{\boxed{5}}{2}",
        r"\sqrt{\boxed{5}}",
    ],
)
def test_a_box_within_a_formula_is_left(text):
    assert unwrapped(text) == text


@pytest.mark.parametrize("text", ["x**2", "**x**2**", r"a\$b", "2*3*4", "5!", "a_b_c"])
def test_signs_of_a_formula_are_no_wrappers(text):
    assert unwrapped(text) in (text, "x**2")


def test_the_marked_last_line_of_a_solution_is_the_answer():
    assert unwrapped("She has 20 + 5 eggs.\n#### 25") == "25"
    assert unwrapped("#5") == "#5"
