"""Ports, right and strange, that the command is run on: the tests copy this file as ports.py."""

import contextlib
import ctypes
import dataclasses
import os
import sys

import numpy as np


def plain(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def half(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True) / 2


def scaled(g, scale):
    return scale * plain(g)


def returns_none(g):
    return None


def returns_list(g):
    return plain(g).tolist()


def other_shape(g):
    return plain(g).ravel()


def other_dtype(g):
    return plain(g).astype(np.float64)


def complex_numbers(g):
    return plain(g).astype(complex)


def objects(g):
    return np.array(plain(g), dtype=object)


def text(g):
    return plain(g).astype(str)


def all_nan(g):
    return g * np.nan


def one_nan(g):
    answer = plain(g).copy()
    answer.flat[0] = np.nan
    return answer


def raises(g):
    raise RuntimeError("no\nluck")


def leaves(g):
    sys.exit(0)


def recurses(g):
    return recurses(g)


class Abort(BaseException):
    def __str__(self):
        raise ValueError("no words")


def aborts(g):
    raise Abort


def closes(g):
    raise GeneratorExit("half-way")


def interrupts(g):
    raise KeyboardInterrupt


async def waits(g):
    return plain(g)


def writes_below(g):
    os.write(1, b"noise of a system call")
    ctypes.CDLL(None).printf(b"noise of the C library")
    sys.__stdout__.write("noise of Python")
    return plain(g)


def not_in_float64(g):
    if g.dtype == np.float64:
        raise RuntimeError("the third call")
    return plain(g)


def masked(g):
    return np.ma.masked_array(plain(g))


def matrix(g):
    return np.matrix(plain(g)) if g.ndim == 2 else plain(g)


def moves(g):
    os.chdir("/")
    return plain(g)


class UnsayableError(Exception):
    def __str__(self):
        sys.exit(0)


def unsayable(g):
    raise UnsayableError


def shallow(g):
    sys.setrecursionlimit(sys.getrecursionlimit() // 2 + 20)
    return plain(g)


def flushes_subnormals(g):
    """What torch.set_flush_denormal(True) does, and a library built with -ffast-math."""
    import torch

    torch.set_flush_denormal(True)
    return plain(g)


def rounds_up(g):
    ctypes.CDLL(None).fesetround(0x800)
    return plain(g)


def escapes(g):
    raise RuntimeError("red \x1b[31m, bell \x07, C1 \x9b2J, \u202egnirts")


# Each of these ends or breaks the process: they are run in one of their own.


def exits(g):
    os._exit(0)


def exits_in_c(g):
    ctypes.CDLL(None).exit(0)


def crashes(g):
    os.kill(os.getpid(), 11)


def closes_all(g):
    os.closerange(3, 4096)
    return plain(g)


def closes_stdout(g):
    sys.__stdout__.close()
    return plain(g)


def forks_once(g, forked=[]):  # noqa: B006
    if not forked:
        forked.append(True)
        os.fork()
    return plain(g)


def hangs(g):
    import time

    print("hangs", file=sys.__stderr__, flush=True)
    time.sleep(600)


def hangs_deaf(g):
    while True:
        with contextlib.suppress(BaseException):
            hangs(g)


class RaisesLater:
    calls = 0

    def __call__(self, g):
        RaisesLater.calls += 1
        if RaisesLater.calls > 45:
            raise RuntimeError("in the middle")
        return plain(g)


raises_later = RaisesLater()
number = 3


def sgdm(case, phi=plain):
    weights = {p.name: np.array(p.value) for p in case.parameters}
    momenta = {k: np.zeros_like(w) for k, w in weights.items()}
    steps = []
    for gradients in case.gradients:
        for k, w in weights.items():
            h = {n: w.dtype.type(v) for n, v in case.hyperparameters.items()}
            momenta[k] = h["momentum"] * momenta[k] + (1 - h["momentum"]) * phi(gradients[k])
            weights[k] = (w - h["lr"] * momenta[k]).astype(w.dtype)
        steps.append(dict(weights))
    return steps


def sgdm_pops(case):
    kept = [dict(gradients) for gradients in case.gradients]
    for gradients in case.gradients:
        for name in list(gradients):
            gradients.pop(name)
    return sgdm(dataclasses.replace(case, gradients=kept))


def plain_sgdm(case):
    return sgdm(case, lambda g: g)


def sgdm_half(case):
    return sgdm(case, half)


def too_few(case):
    return sgdm(case)[:1]


def loses_one(case):
    return [{k: v for k, v in s.items() if k != "dense_1.bias"} for s in sgdm(case)]


def steps_of_nan(case):
    return [{p.name: p.value * np.nan for p in case.parameters} for _ in case.gradients]


def steps_of_text(case):
    return [{k: np.asarray(v).astype(str) for k, v in s.items()} for s in sgdm(case)]


def steps_leave(case):
    sys.exit(0)


def steps_masked(case):
    return [{k: np.ma.masked_array(v) for k, v in s.items()} for s in sgdm(case)]


def one_array(case):
    return plain(case.gradients[0]["dense_1.kernel"])


def steps_abort(case):
    raise GeneratorExit


async def steps_wait(case):
    return sgdm(case)


def steps_none(case):
    return None
