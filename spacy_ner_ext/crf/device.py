"""Transfers between the host and the device of an array, few of them: each one stops
the queue of a GPU. With NumPy nothing is copied."""

from collections.abc import Sequence
from typing import Any

import numpy
from thinc.api import get_array_module

Array = Any  # NumPy or CuPy: the same code runs on both.


def put_indices(like: Array, arrays: Sequence[numpy.ndarray]) -> list[Array]:
    """Copy arrays of indices to the device of `like`, all at once."""
    xp: Any = get_array_module(like)
    if xp is numpy:
        return list(arrays)
    flat = xp.asarray(numpy.concatenate([array.ravel() for array in arrays]))
    return _split(flat, arrays)


def take_rows(array: Array, rows: numpy.ndarray) -> Array:
    """array[rows], or the array itself if these are all of its rows, in their order."""
    if numpy.array_equal(rows, numpy.arange(len(array))):
        return array
    return array[put_indices(array, [rows])[0]]


def fetch(arrays: Sequence[Array], dtype: Any = "float64") -> list[numpy.ndarray]:
    """Copy arrays to the host, all at once, as `dtype` if they are on a GPU."""
    if not arrays or isinstance(arrays[0], numpy.ndarray):
        return list(arrays)
    xp: Any = get_array_module(arrays[0])
    flat = xp.concatenate([a.ravel() for a in arrays], dtype=dtype).get()
    return _split(flat, arrays)


def _split(flat: Array, like: Sequence[Array]) -> list[Array]:
    """Cut a flat array into arrays of the given shapes."""
    parts, start = [], 0
    for array in like:
        parts.append(flat[start : start + array.size].reshape(array.shape))
        start += array.size
    return parts


def device_of(array: Array) -> int | None:
    """The number of the GPU that holds an array; None on the host."""
    return None if isinstance(array, numpy.ndarray) else array.device.id


def to_host(array: Array) -> numpy.ndarray:
    return array if isinstance(array, numpy.ndarray) else array.get()
