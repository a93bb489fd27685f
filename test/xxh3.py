"""xxh3.py - XXH3-64 with seed 0, as specified in the xxHash project's doc/xxhash_spec.md: xxh3(bytes)."""
import struct

U32, U64 = (1 << 32) - 1, (1 << 64) - 1
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
P32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
P64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
       0x27D4EB2F165667C5)

def le(b, at, size=8):
    return int.from_bytes(b[at:at + size], "little")

STRIPE_KEYS = [[le(SECRET, 8 * (stripe + lane)) for stripe in range(16)] for lane in range(8)]
LAST_KEYS = [[le(SECRET, 121 + 8 * lane)] for lane in range(8)]
def _fold(a, b):
    return (a * b ^ (a * b >> 64)) & U64
def _mix(h, shift, prime, shift2, prime2=1):
    h = (h & U64 ^ (h & U64) >> shift) * prime & U64
    return (h ^ h >> shift2) * prime2 & U64
def _avalanche(h):
    return _mix(h, 37, 0x165667919E3779F9, 32)
def _avalanche64(h):
    return _mix(_mix(h, 33, P64[1], 29, P64[2]), 32, 1, 64)
def _mix16(b, at, secret):
    return _fold(le(b, at) ^ le(SECRET, secret), le(b, at + 8) ^ le(SECRET, secret + 8))

def _xxh3_short(b, n):
    if n > 8:
        low = le(b, 0) ^ le(SECRET, 24) ^ le(SECRET, 32)
        high = le(b, n - 8) ^ le(SECRET, 40) ^ le(SECRET, 48)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return _avalanche(n + swapped + high + _fold(low, high))
    if n > 3:
        h = le(b, n - 4, 4) + (le(b, 0, 4) << 32) ^ le(SECRET, 8) ^ le(SECRET, 16)
        h ^= ((h << 49 | h >> 15) ^ (h << 24 | h >> 40)) & U64
        h = h * 0x9FB21C651E98DF25 & U64
        return _mix((h ^ (h >> 35) + n) * 0x9FB21C651E98DF25, 28, 1, 64)
    if n > 0:
        h = b[0] << 16 | b[n >> 1] << 24 | b[n - 1] | n << 8
        return _avalanche64(h ^ le(SECRET, 0, 4) ^ le(SECRET, 4, 4))
    return _avalanche64(le(SECRET, 56) ^ le(SECRET, 64))
def _xxh3_middle(b, n):
    acc = n * P64[0]
    if n <= 128:
        for i in range((n - 1) // 32 + 1):
            acc += _mix16(b, 16 * i, 32 * i) + _mix16(b, n - 16 * (i + 1), 32 * i + 16)
        return _avalanche(acc)
    acc = _avalanche(acc + sum(_mix16(b, 16 * i, 16 * i) for i in range(8)))
    acc += sum(_mix16(b, 16 * i, 16 * (i - 8) + 3) for i in range(8, n // 16))
    return _avalanche(acc + _mix16(b, n - 16, 119))
def _accumulate(acc, words, keys):
    for lane in range(8):
        total = acc[lane] + sum(words[lane ^ 1::8])
        for word, key in zip(words[lane::8], keys[lane]):
            word ^= key
            total += (word & U32) * (word >> 32)
        acc[lane] = total & U64
def xxh3(b):
    n = len(b)
    if n <= 240:
        return _xxh3_short(b, n) if n <= 16 else _xxh3_middle(b, n)
    acc = [P32[2], P64[0], P64[1], P64[2], P64[3], P32[1], P64[4], P32[0]]
    done = (n - 1) // 1024 * 1024
    for at in range(0, done, 1024):
        _accumulate(acc, struct.unpack_from("<128Q", b, at), STRIPE_KEYS)
        for i, a in enumerate(acc):
            acc[i] = (a ^ a >> 47 ^ le(SECRET, 128 + 8 * i)) * P32[0] & U64
    stripes = (n - 1 - done) // 64
    _accumulate(acc, struct.unpack_from("<%dQ" % (8 * stripes), b, done), STRIPE_KEYS)
    _accumulate(acc, struct.unpack_from("<8Q", b, n - 64), LAST_KEYS)
    return _avalanche(n * P64[0] + sum(
        _fold(acc[i] ^ le(SECRET, 11 + 8 * i), acc[i + 1] ^ le(SECRET, 19 + 8 * i))
        for i in (0, 2, 4, 6)))
