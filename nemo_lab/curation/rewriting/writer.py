"""Who writes the rephrasings: one small interface, and the packaged chat model behind it.

A writer takes prompts and gives replies, in order; it counts tokens, since segments and filters are in tokens. The
paper's was Mistral-NeMo-12B-Instruct at temperature 0.5, top-p 0.9 (arXiv 2412.02595, section 2.3). The default here
is SmolLM2-135M-Instruct at the same temperature, in batches: weights in bf16, rows of like length together, each batch
until its longest reply ends. (Greedy, so small a model says its first sentence again and again until it is cut off.)

    writer = LocalWriter.packaged("smollm2")
    replies = writer.write([WriterPrompt("Say it in other words: …", opening="Here is")], max_new_tokens=64)

So small a model often forgets the phrase it is told to begin with, and the paper drops replies without it; a local
writer puts the words into its mouth (`WriterPrompt.opening`). Anything with `count` and `write` is a writer;
`AskingWriter` makes one of any function from a question to an answer, such as `endpoint.Endpoint.ask` of an
OpenAI-compatible server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nemo_lab.corpora.packages.chat_models import CHAT_MODELS, chat_model_folder
from nemo_lab.errors import LabError, check_number, check_path, check_whole
from nemo_lab.progress import progress, quiet

TEMPERATURE, TOP_P, LIKELIEST = 0.5, 0.9, 64  # top-p among so many tokens: sorting all 49,152 costs more than the model
_FILES = ("config.json", "tokenizer_config.json", "*.safetensors")  # what a model's folder holds
WASTE = 4  # rows of a batch may differ in length by this factor; more is padding


@dataclass(frozen=True)
class WriterPrompt:
    """What is asked, and the words that the reply has to begin with ('' for any)."""

    text: str
    opening: str = ""


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        text: the whole reply, its opening included.
        tokens: its length. ended: whether the writer ended it, rather than the limit.
        failure: why there is none, '' if there is.
    """

    text: str
    tokens: int
    ended: bool
    failure: str = ""


class Writer(Protocol):
    """Anything that counts tokens and answers prompts."""

    def count(self, text: str) -> int:
        """Return the tokens of a text."""
        ...

    def write(self, prompts: Sequence[WriterPrompt], max_new_tokens: int) -> list[Reply]:
        """Return one reply a prompt, in order."""
        ...


class Sampler:
    """Draws tokens for a greedy search: every logit but that of the token drawn becomes minus infinity.

    `transformers` samples from the process's one generator, which other threads use as well.
    """

    def __init__(self, temperature: float, seed: int) -> None:
        import torch

        self.temperature, self.generator = temperature, torch.Generator().manual_seed(seed)

    def __call__(self, input_ids: Any, scores_BV: Any) -> Any:
        """Return logits of one finite number a row; drawn from the TOP_P of mass that comes first."""
        import torch

        top_BK, token_BK = scores_BV.float().topk(min(LIKELIEST, scores_BV.shape[-1]), dim=-1)
        chance_BK = torch.softmax(top_BK / self.temperature, -1)
        chance_BK = chance_BK * (chance_BK.cumsum(-1) - chance_BK < TOP_P)
        drawn_B1 = torch.multinomial(chance_BK.cpu(), 1, generator=self.generator).to(token_BK.device)
        return torch.full_like(scores_BV, -torch.inf).scatter(-1, token_BK.gather(-1, drawn_B1), 0.0)


def model_folder(name: str | Path) -> Path:
    """Return the folder of a packaged chat model, or the folder itself once it has the files of a model.

    Raises:
        LabError: an unknown name, or a folder without configuration, tokenizer or safetensors.
    """
    known = ", ".join(CHAT_MODELS)
    if str(name) in CHAT_MODELS:
        return chat_model_folder(str(name))
    if not str(name).strip() or not check_path("writer", name).is_dir():
        raise LabError(f"Writer {str(name)!r} is no folder and none of the packaged models: {known}.")
    missing = [kind for kind in _FILES if not any(path.is_file() for path in Path(name).glob(kind))]
    if missing:
        raise LabError(
            f"Writer {str(name)!r} is a folder without {', '.join(missing)}; expected a model as `save_pretrained` "
            f"writes it, or the name of a packaged one: {known}."
        )
    return Path(name)


@dataclass
class LocalWriter:
    """A causal language model of `transformers` with a chat template, in batches.

    Attributes:
        batch_size: rows at once.
        temperature: of sampling; 0 takes the likeliest token.
        seed: of every call's own generator, so that threads do not disturb each other.
    """

    model: Any
    tokenizer: Any
    batch_size: int = 32
    temperature: float = TEMPERATURE
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing is written."""
        check_whole("batch_size", self.batch_size)
        check_number("temperature", self.temperature, least=0)
        check_whole("seed", self.seed, 0)

    @classmethod
    def packaged(cls, name: str | Path = "smollm2", batch_size: int = 32) -> LocalWriter:
        """Open a packaged chat model, or a folder that holds one, with weights in bf16.

        Raises:
            LabError: no such model or folder, or files in it that do not open.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from nemo_lab.modeling.bf16_products import replace_slow_products

        replace_slow_products()
        where: dict[str, Any] = {"pretrained_model_name_or_path": model_folder(name), "local_files_only": True}
        try:
            with quiet():
                model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16, use_safetensors=True)
                tokenizer = AutoTokenizer.from_pretrained(**where)
        except Exception as error:  # of many libraries' kinds
            reason = " ".join(str(error).split())[:200]
            raise LabError(f"The chat model in {str(name)!r} does not open ({reason}); save it anew.") from error
        if not tokenizer.chat_template:
            raise LabError(f"The model in {str(name)!r} has no chat template, expected a chat model's folder.")
        return cls(model.eval(), tokenizer, batch_size)

    def count(self, text: str) -> int:
        """Return the tokens of a text."""
        return len(self.tokenizer.encode(text, add_special_tokens=False))

    def write(self, prompts: Sequence[WriterPrompt], max_new_tokens: int) -> list[Reply]:
        """Return one reply a prompt, in order; the same on every run of one machine."""
        rows = [self._row(prompt) for prompt in prompts]
        order = sorted(range(len(rows)), key=lambda at: -len(rows[at]))
        found: dict[int, Reply] = {}
        sampler = Sampler(self.temperature, self.seed) if self.temperature else None
        for batch in progress(_batches(order, rows, self.batch_size), desc="rephrasing", unit="batch"):
            answers = self._generate([rows[at] for at in batch], max_new_tokens, sampler)
            for at, ids in zip(batch, answers, strict=True):
                found[at] = self._reply(prompts[at].opening, ids)
        return [found[at] for at in range(len(rows))]

    def _row(self, prompt: WriterPrompt) -> list[int]:
        chat = [{"role": "user", "content": prompt.text}]
        asked = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer.encode(asked + prompt.opening, add_special_tokens=False))

    def _generate(self, rows: Sequence[Sequence[int]], max_new_tokens: int, sampler: Sampler | None) -> list[list[int]]:
        import torch

        pad, longest = self.tokenizer.pad_token_id, max(map(len, rows))
        tokens_BL = torch.tensor([[pad] * (longest - len(row)) + list(row) for row in rows])
        mask_BL = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        device = self.model.device
        with torch.inference_mode():
            out_BT = self.model.generate(
                input_ids=tokens_BL.to(device),
                attention_mask=mask_BL.to(device),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=pad,
                logits_processor=[sampler] if sampler else [],
            )
        ids: list[list[int]] = out_BT[:, longest:].tolist()
        return ids

    def _reply(self, opening: str, ids: Sequence[int]) -> Reply:
        end = self.tokenizer.eos_token_id
        ended = end in ids
        own = list(ids[: ids.index(end)]) if ended else list(ids)
        text = opening + self.tokenizer.decode(own, skip_special_tokens=True)
        return Reply(text, len(own) + self.count(opening), ended)


@dataclass
class AskingWriter:
    """A writer behind a function: a question in, an answer out, one at a time.

    Attributes:
        ask: raises a ValueError where there is no answer; its `reason`, if it has one, is what is counted.
        count: of tokens, by whatever tokenizer is near to the model's.
    """

    ask: Callable[[str], str]
    count: Callable[[str], int]

    def write(self, prompts: Sequence[WriterPrompt], max_new_tokens: int) -> list[Reply]:
        """Return one reply a prompt; one of `max_new_tokens` or more counts as cut off, failures are kept apart."""
        return [self._reply(prompt, max_new_tokens) for prompt in progress(prompts, desc="rephrasing", unit="prompt")]

    def _reply(self, prompt: WriterPrompt, max_new_tokens: int) -> Reply:
        try:
            text = self.ask(prompt.text)
        except ValueError as error:
            return Reply("", 0, False, str(getattr(error, "reason", type(error).__name__)))
        tokens = self.count(text)
        return Reply(text, tokens, tokens < max_new_tokens)


def _batches(order: Sequence[int], rows: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """Cut rows, longest first, into batches of at most `size` that are not mostly padding."""
    batches: list[list[int]] = []
    for at in order:
        fits = batches and len(batches[-1]) < size and len(rows[batches[-1][0]]) <= WASTE * len(rows[at])
        batches[-1].append(at) if fits else batches.append([at])
    return batches
