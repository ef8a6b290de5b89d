# Comparing two GGUF models the way scripts do it: dequantize with numpy, subtract. Reads Q8_0, Q4_K, Q6_K, F16 and F32 of
# files that ggufkit wrote (version 3, little-endian). Beside it `./dev bench diff` runs gguf-diff.
#   usage: compare.py A B
import struct
import sys

import numpy as np


def read(path):
    data = np.memmap(path, dtype=np.uint8, mode='r')
    at = 0

    def number(code, size):
        nonlocal at
        value = struct.unpack_from('<' + code, data, at)[0]
        at += size
        return value

    def text():
        nonlocal at
        length = number('Q', 8)
        at += length
        return bytes(data[at - length:at]).decode()

    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

    def skip(kind):
        nonlocal at
        if kind == 8:
            text()
        elif kind == 9:
            element, count = number('I', 4), number('Q', 8)
            if element in sizes:
                at += sizes[element] * count
            else:
                for _ in range(count):
                    skip(element)
        else:
            at += sizes[kind]

    at = 8
    tensors, keys = number('Q', 8), number('Q', 8)
    for _ in range(keys):
        text()
        skip(number('I', 4))
    infos = {}
    for _ in range(tensors):
        name = text()
        shape = [number('Q', 8) for _ in range(number('I', 4))]
        kind, offset = number('I', 4), number('Q', 8)
        infos[name] = (shape, kind, offset)
    start = (at + 31) // 32 * 32
    return {name: (data[start + offset:], shape, kind) for name, (shape, kind, offset) in infos.items()}


def halves(blocks, at):
    return blocks[:, at:at + 2].view(np.float16).astype(np.float32)


def q8_0(blocks):
    return halves(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


def q4_k(blocks):
    n = len(blocks)
    packed = blocks[:, 4:16].reshape(n, 3, 4)
    scales = np.concatenate([packed[:, 0] & 63, packed[:, 2] & 15 | packed[:, 0] >> 2 & 48], axis=1)
    mins = np.concatenate([packed[:, 1] & 63, packed[:, 2] >> 4 | packed[:, 1] >> 2 & 48], axis=1)
    both = blocks[:, 16:].reshape(n, 4, 1, 32) >> np.array([0, 4], np.uint8).reshape(1, 1, 2, 1)
    codes = (both & 15).reshape(n, 8, 32).astype(np.float32)
    d = (halves(blocks, 0) * scales).reshape(n, 8, 1)
    m = (halves(blocks, 2) * mins).reshape(n, 8, 1)
    return d * codes - m


def q6_k(blocks):
    n = len(blocks)
    low = blocks[:, :128].reshape(n, 2, 1, 64) >> np.array([0, 4], np.uint8).reshape(1, 1, 2, 1)
    high = blocks[:, 128:192].reshape(n, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1)
    codes = (low & 15).reshape(n, 8, 32) | ((high & 3) << 4).reshape(n, 8, 32)
    values = codes.reshape(n, 16, 16).astype(np.float32) - 32
    scales = halves(blocks, 208) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    return scales.reshape(n, 16, 1) * values


def decode(data, shape, kind):
    count = int(np.prod(shape))
    if kind == 0:
        return data[:4 * count].view(np.float32)
    if kind == 1:
        return data[:2 * count].view(np.float16).astype(np.float32)
    elements, size, make = {8: (32, 34, q8_0), 12: (256, 144, q4_k), 14: (256, 210, q6_k)}[kind]
    blocks = np.ascontiguousarray(data[:count // elements * size]).reshape(-1, size)
    return make(blocks).reshape(-1)


def main():
    a, b = read(sys.argv[1]), read(sys.argv[2])
    e2 = w2 = 0.0
    for name, tensor in a.items():
        if tensor[2] == b[name][2] and tensor[2] == 0:
            continue
        w, v = decode(*tensor), decode(*b[name])
        e = v - w
        e2 += float(np.dot(e, e))
        w2 += float(np.dot(w, w))
    print(f'relative error {100 * (e2 / w2) ** 0.5:.3g} %')


main()
