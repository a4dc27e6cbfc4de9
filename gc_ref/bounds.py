r"""Rounding-error bounds: how far from exact a correct port may be.

There is no rtol and no atol here. A port passes where |got − exact| ≤ τ, and τ is derived
from the *arithmetic profile* that the port is granted. One guarantee counts: **no correct
port exceeds τ**. A constant factor of slack is harmless, because the mistakes that matter
are of order one; a missing term is not. Each bound is computed in float64 from the
magnitudes of the data, never from what the port returned.

Model. One operation in a format of unit roundoff u returns (x∘y)(1+δ) + ε with |δ| ≤ u and
|ε| ≤ η. A value that went through k roundings is off by at most G(k, u) = (1+u)ᵏ − 1,
relatively; this holds for every k and u, unlike k·u or k·u/(1−k·u). Below, u is the unit
roundoff of the storage dtype, a the accumulator's, h the hyperparameters'.

Centralize
----------
Eq. 1 and Eq. 2, slice by slice: n is the fan-in, m the mean, A = mean|g|, x = g − m,
D = mean|x|, R = max|x|. In the accumulator, before anything is stored, one evaluation is
off by at most (each plus (2n + 10)η)

- G(3n + 4, a)·A by a mean. Each g_j enters it with a coefficient (1/n)·∏(1+δ). A sum in
  any order (pairwise, Kahan's, with FMA, a product with ones) has at most n − 1 factors, a
  division or a product with the rounded 1/n, before or after, at most 3 more. Welford's
  mean += (g_k − mean)/k has (1 − (1+θ)/k)(1+δ) = (1 − 1/k)(1 − θ/(k−1))(1+δ) at each
  k > 1, with 1+θ of 4 roundings: n + 4·(1 + 1/2 + … + 1/(n−1)) + 4 ≤ 3n + 4 in all. And
  mean·((k−1)/k) + g_k/k has 3 roundings a step.
- G(n + 4, a)(D + 2R) + G(2, a)·A by a mean after subtracting one element s from all of
  them: there mean|g − s| ≤ D + |s − m| ≤ D + R stands in A's place.
- G(n + 6, a)(|g_i| + A) by Eq. 2 to the letter. e = 1/√n has 2 roundings, e² 5, 1 − e² one
  more; the dot product of row i of P with g has n on terms of size |g_i| and |g_j|/n. Its
  partial sums do reach |g_i| + A: a bound in A alone would be wrong.

The mean may then be rounded to the storage dtype, u|m| (3u|m| unless n is a power of two:
the sum and 1/n may be rounded too), and so is the difference, (u + a)|x_i|. A port may
also centralize *twice*: the second pass takes the first one's error in the mean away
again, and leaves the errors f_i of single elements, |f_i| + mean|f| + the working error at
Φ(g) + both storage roundings. τ is the largest of all these, second-order terms included.
n = 1 gives exactly 0, and so do slices of zeros.

Eq. 2 with P itself held in a half type would need u(|g_i| + 6A), which at n = 64 hides a
divisor of n − 1. The default profiles of the half types leave it out: sums, P and optimizer
state are in float32 there. ``profile("bfloat16", accumulator="bfloat16")`` grants it all.

Steps
-----
Every quantity is a ball, a float64 center and a radius, carried from step to step with
float64's own roundings added to each radius. The exact value is off the center too, by at
most the radius that a port in float64 would have: τ is the port's radius plus that one.

- A moving average k·s + t·x is off by |k|r_s + |t|r_x + G(6, a)((|k| + |t|)|s| + |t||x|) +
  G(3, u)|t||x| + 6h(1 + |t|)(|s| + |x|). This covers βm + (1−β)g, m + (1−β)(g − m), both
  branches of PyTorch's lerp (it takes the second only where β ≤ 1−β), addcmul, heavy-ball,
  and the velocity form μv − lr·g, whose underflow counts 1/lr times. 1−β is off by the
  *absolute* error of the rounded β. Underflow adds η for t·x in the storage dtype and 4η of
  the state's.
- SGDM is linear: the momentum of Φ(g) and Φ of the momentum are the same mathematics (but
  for L2 decay added after Φ) with different roundings. The radius covers both.
- Adam: βᵗ is off by G(2t + 8, h). The quotient is taken in interval arithmetic, with m in
  [m − r, m + r], v in [max(0, v − r), v + r], and G(16, a) + G(8, h) for the places where
  bias corrections and roots are applied. Where √v + ε may be 0, the bound is ∞: a
  near-constant slice gets a wide interval, not a tight and wrong one. Underflow before the
  division is magnified by it: 4η·max(1, (1−β1ᵗ)/√(1−β2ᵗ))/lr on m.
- w − lr·d is off by r_w + lr·r_d + (G(4, u) + G(4, h))·lr|d| + (u + a)|w'|; decoupled decay
  and g + λw are counted likewise, each in the docstring of its function.

Where a sum, a square or a result may overflow, τ is ∞ too.

Not covered: TF32 and other reduced-precision matrix units, Strassen's product,
Φ(g) + λΦ(w) in place of Φ(g + λw).
"""

from __future__ import annotations

from gc_ref._bounds.centralize import centralize
from gc_ref._bounds.optimizers import adam, sgdm
from gc_ref._bounds.profiles import EXACT, Profile, profile

__all__ = ["EXACT", "Profile", "adam", "centralize", "profile", "sgdm"]
