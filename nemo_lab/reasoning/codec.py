"""Text as tokens for models that are trained from scratch: one token a character, and whole words on request.

A character is the smallest unit a small model can learn arithmetic and letter puzzles from; a control word such
as `<think>` should be one decision and is one token. The end token closes a response: it is sampled, rewarded
and trained like any other. The padding token is another one, so that hiding the padding never hides the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from nemo_lab.errors import LabError, check_each, check_instance, shown

END, PAD = "<|end|>", "<|pad|>"
CONTROL_WORDS = ("<on>", "<off>", "<think>", "</think>")
# The prompts of `questions.templates`, `<on>347+586=`, from conversations; `test_codec` holds the two together.
CHAT_TEMPLATE = (
    "{%- set modes = {'detailed thinking on': '<on>', 'detailed thinking off': '<off>'} -%}"
    "{%- set chosen = namespace(mode='<on>') -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'system' and message['content'] in modes -%}"
    "{%- set chosen.mode = modes[message['content']] -%}"
    "{%- elif message['role'] == 'user' -%}"
    "{{- chosen.mode + message['content'] + '=' -}}"
    "{%- elif message['role'] == 'assistant' -%}"
    "{{- message['content'] + '<|end|>' -}}"
    "{%- else -%}"
    "{{- raise_exception('The system prompts are ' + (modes | join(' and ')) + '.') -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
)
CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))


class Codec:
    """Characters and words as tokens; `<|end|>` is 0 and `<|pad|>` is 1.

    Args:
        words: strings that are one token each, beside newline and the printable ASCII characters. Where several
            fit, the longest is taken.

    Attributes:
        end, pad: ids of the two special tokens. vocab_size: tokens in all.

    Raises:
        LabError: something else than words, an empty one or one that comes twice.
    """

    end, pad = 0, 1

    def __init__(self, words: Sequence[str] = CONTROL_WORDS) -> None:
        check_each("words", words, str)
        if not all(words) or len({*words, *CHARACTERS}) < len(words) + len(CHARACTERS):
            raise LabError(f"words is {shown(words)}; expected different strings, no single character.")
        self.words = tuple(words)
        self._pieces = [END, PAD, *words, *CHARACTERS]
        self._ids = {piece: index for index, piece in enumerate(self._pieces)}
        longest_first = sorted(words, key=len, reverse=True)
        self._pattern = "|".join([*map(re.escape, longest_first), r"[\s\S]"])
        self._split = re.compile(self._pattern)
        self.vocab_size = len(self._pieces)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without an end token. In text the special tokens are ordinary characters.

        Raises:
            LabError: no text, or a character that is neither newline nor printable ASCII.
        """
        check_instance("text", text, str, "give a text")
        try:
            return [self._ids[piece] for piece in self._split.findall(text)]
        except KeyError as error:
            raise LabError(
                f"The text has the character {error.args[0]!r}; this codec knows newline and printable ASCII only."
            ) from None

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens; end and padding are left out.

        Raises:
            LabError: a token that this codec does not have.
        """
        try:
            return "".join(self._pieces[token] for token in tokens if token > 1)
        except (IndexError, TypeError) as error:
            raise LabError(f"Tokens are whole numbers below {self.vocab_size} here; got {shown(tokens)}.") from error

    def to_hf(self) -> Any:
        """The same tokens as a tokenizer of `transformers`, with a chat template where it has the control words.

        There the special tokens can be written in text, as chat templates must.
        """
        from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        tokens = Tokenizer(models.WordLevel(self._ids))  # without a token for what it does not know: an error, as here
        tokens.pre_tokenizer = pre_tokenizers.Split(Regex(self._pattern), "isolated")  # type: ignore[assignment]
        tokens.decoder = decoders.Fuse()  # type: ignore[assignment]
        tokens.add_special_tokens([END, PAD])
        template = CHAT_TEMPLATE if {*CONTROL_WORDS} <= {*self.words} else None
        return PreTrainedTokenizerFast(
            tokenizer_object=tokens, eos_token=END, pad_token=PAD, padding_side="left", chat_template=template
        )
