"""Products of bf16 matrices in float32: the same function as torch's, for every operator, and nothing else touched.

All but the first run in a process of their own that imports torch alone, keeps torch's own results, and then replaces
the products whatever the processor.
"""

import subprocess
import sys
import textwrap

import torch

from nemo_lab.modeling.bf16_products import replace_slow_products

_BEGIN = """
    import torch
    from unittest import mock
    torch.manual_seed(0)

    def replace():
        # The package does it when imported, where the processor asks for it.
        with mock.patch("torch.ops.mkldnn._is_mkldnn_bf16_supported", lambda: False):
            from nemo_lab.modeling.bf16_products import replace_slow_products
            assert replace_slow_products()
"""


def _run(body: str) -> None:
    script = textwrap.dedent(_BEGIN) + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_only_a_processor_without_bf16_instructions_has_its_products_replaced():
    assert replace_slow_products() is not torch.ops.mkldnn._is_mkldnn_bf16_supported()


def test_every_operator_is_the_float32_product_rounded_once():
    _run("""
        b = torch.bfloat16
        a, w, c = torch.randn(33, 70).to(b), torch.randn(20, 70).to(b).t(), torch.randn(20).to(b)
        A, W = torch.randn(3, 9, 40).to(b).transpose(1, 2)[:, 1:], torch.randn(3, 9, 17).to(b)
        C = torch.randn(3, 39, 17).to(b)
        v = torch.randn(70, 20001).to(b)
        cases = {
            "mm": lambda f: torch.mm(f(a), f(w)),
            "addmm": lambda f: torch.addmm(f(c), f(a), f(w), beta=0.5, alpha=2.0),
            "bmm": lambda f: torch.bmm(f(A), f(W)),
            "baddbmm": lambda f: torch.baddbmm(f(C), f(A), f(W), beta=0.5, alpha=2.0),
            "linear": lambda f: torch.nn.functional.linear(f(a), f(w).t(), f(c)),
            "matmul": lambda f: f(A) @ f(W),
            "einsum": lambda f: torch.einsum("bij,bjk->bki", f(A), f(W)),
            "of many blocks": lambda f: f(a) @ f(v),
            "no rows": lambda f: f(a)[:0] @ f(w),
            "no sum": lambda f: f(a)[:, :0] @ f(w)[:0],
        }
        wide = {name: case(torch.Tensor.float) for name, case in cases.items()}
        slow = {name: case(lambda t: t) for name, case in cases.items()}
        replace()
        for name, case in cases.items():
            got = case(lambda t: t)
            assert got.dtype == b and torch.equal(got, wide[name].to(b)), name
            torch.testing.assert_close(got, slow[name], rtol=2**-7, atol=2**-6, msg=name)
    """)


def test_the_float32_product_is_what_runs():
    _run("""
        def inside(case):
            with torch.profiler.profile() as watched:
                case()
            return {event.key for event in watched.key_averages()}

        a, w = torch.randn(8, 8).bfloat16(), torch.randn(8, 8).bfloat16()
        cases = (lambda: a @ w, lambda: torch.addmm(a, a, w), lambda: a[None] @ w[None],
                 lambda: torch.baddbmm(a[None], a[None], w[None]))
        row = lambda: a[:1] @ w.t()
        assert not any("aten::_to_copy" in inside(case) for case in (*cases, row))
        replace()
        assert "aten::_to_copy" not in inside(row)  # torch's own is as fast and reads half the bytes
        assert all("aten::_to_copy" in inside(case) for case in cases)
        a, w = a.float(), w.float()
        assert not any("aten::_to_copy" in inside(case) for case in cases)
    """)


def test_other_dtypes_keep_their_bits_and_errors():
    _run("""
        dtypes = (torch.float32, torch.float64, torch.float16, torch.int64)
        pairs = [(torch.randn(9, 30).to(d), torch.randn(30, 5).to(d)) for d in dtypes]
        own = [a @ w for a, w in pairs]
        replace()
        assert all(torch.equal(a @ w, y) and y.dtype == a.dtype for (a, w), y in zip(pairs, own))
        a, w = pairs[0]
        for wrong in (lambda: a.bfloat16() @ w, lambda: a.bfloat16() @ w.bfloat16().t()):
            try:
                wrong()
            except RuntimeError:
                continue
            raise SystemExit("a product of two dtypes, or of sizes that do not fit, went through")
    """)


def test_gradients_of_a_training_step_are_torchs_own_to_bf16_accuracy():
    _run("""
        from nemo_lab.modeling.config import HybridConfig
        with mock.patch("torch.ops.mkldnn._is_mkldnn_bf16_supported", lambda: True):
            from nemo_lab.modeling import HybridLM, bf16_products
        config = HybridConfig(pattern="M-*-", vocab_size=50, d_model=32, d_ff=64, n_heads=4, n_kv_heads=2, head_dim=8,
                              ssm_heads=4, ssm_head_dim=16, ssm_state=8, ssm_groups=1, chunk=16)
        model, tokens = HybridLM(config), torch.randint(50, (2, 41))

        def gradient(precision):
            model.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                loss = model.loss(tokens[:, :-1], tokens[:, 1:])
            loss.backward()
            return torch.cat([p.grad.flatten() for p in model.parameters()])

        def apart(one, other):
            return float((one - other).norm() / other.norm())

        exact, own = gradient("fp32"), gradient("bf16")
        bf16_products.replace_slow_products.cache_clear()
        replace()
        new = gradient("bf16")
        assert not torch.equal(new, exact)  # it is still bf16
        assert apart(new, exact) < 1.2 * apart(own, exact) + 1e-3, (apart(new, exact), apart(own, exact))
        assert torch.equal(gradient("fp32"), exact)
    """)
