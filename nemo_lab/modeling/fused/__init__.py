"""The CPU's training step in bfloat16, fused: kernels in numba for all that is not a matrix product.

In a small model's step on a CPU the products take a quarter of the time; the rest is torch's elementwise sweeps, sums
and copies, each of which reads and writes whole tensors. A kernel here does all that happens to a row while the row is
in the cache. Chosen with `kernels.use(model, "numba")`; see there when it takes a step. The plain forms in torch,
outside this folder, define what each function computes, and tests hold the two equal.

    elements, compiled, rows        one number; from a function to a kernel; loops over one row
    norm, activation, cross_entropy the parts of the model outside the Mamba-2 layer
    convolution, decay, states, gate    the rooms of the Mamba-2 layer, in the order of its forward pass
    mixer                           those rooms and the products between them as one function

These modules need numba, an optional package, and are imported where they are used.
"""
