"""Ports for lists of known failures, judged in Python and, as ports.py, by the command."""


def plain(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def first_axis(g):
    return g if g.ndim < 2 else g - g.mean(axis=0, keepdims=True)


def nothing(g):
    return None
