"""opening.py - how reader.py opens payloads: X25519 and HKDF in Python; zstd from libzstd.so.1,
AES-256-GCM from OpenSSL's libcrypto.so.3 and Argon2id from libgcrypt.so.20 by ctypes."""
import ctypes, hashlib, hmac

class Malformed(Exception):
    """Bytes that are not a valid pack; the text says why."""

class Unsupported(Exception):
    """A library is not installed, or no fitting key was given."""

def library(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        raise Unsupported("%s is not installed" % name) from None

def unzstd(b, size):
    """Decompresses one zstd frame of exactly size bytes."""
    lib, out, n = library("libzstd.so.1"), ctypes.create_string_buffer(size), ctypes.c_size_t
    lib.ZSTD_decompress.restype = lib.ZSTD_findFrameCompressedSize.restype = n
    if (lib.ZSTD_findFrameCompressedSize(b, n(len(b))) != len(b)
            or lib.ZSTD_decompress(out, n(size), b, n(len(b))) != size):
        raise Malformed("no single zstd frame of its raw length")
    return out.raw

def open_gcm(key, nonce, aad, sealed):
    """Decrypts AES-256-GCM with the tag at the end; returns None if the tag is wrong."""
    lib, p, n = library("libcrypto.so.3"), ctypes.c_void_p, ctypes.byref(ctypes.c_int())
    body, tag, out = sealed[:-16], sealed[-16:], ctypes.create_string_buffer(len(sealed))
    lib.EVP_CIPHER_CTX_new.restype = lib.EVP_aes_256_gcm.restype = p
    ctx = p(lib.EVP_CIPHER_CTX_new())
    ok = (lib.EVP_DecryptInit_ex(ctx, p(lib.EVP_aes_256_gcm()), None, key, nonce) == 1
          and lib.EVP_DecryptUpdate(ctx, None, n, aad, len(aad)) == 1
          and lib.EVP_DecryptUpdate(ctx, out, n, body, len(body)) == 1
          and lib.EVP_CIPHER_CTX_ctrl(ctx, 0x11, 16, tag) == 1  # EVP_CTRL_AEAD_SET_TAG
          and lib.EVP_DecryptFinal_ex(ctx, None, n) == 1)
    lib.EVP_CIPHER_CTX_free(ctx)
    return out.raw[:len(body)] if ok else None

def hkdf(ikm, info):
    """RFC 5869 with an empty salt, for 32 bytes: one round."""
    return hmac.digest(hmac.digest(bytes(32), ikm, "sha256"), info + b"\1", "sha256")

def x25519(secret, point=b"\x09" + bytes(31)):
    """RFC 7748, section 5: the Montgomery ladder."""
    p, k = 2**255 - 19, int.from_bytes(secret, "little") & (1 << 255) - 8 | 1 << 254
    x1 = (int.from_bytes(point, "little") & (1 << 255) - 1) % p
    x2, z2, x3, z3 = 1, 0, x1, 1
    for t in range(254, -1, -1):
        if k >> t & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, da, cb = x2 + z2, x2 - z2, (x3 - z3) * (x2 + z2), (x3 + z3) * (x2 - z2)
        x3, z3, e = (da + cb) ** 2 % p, x1 * (da - cb) ** 2 % p, a * a - b * b
        x2, z2 = a * a * b * b % p, e * (a * a + 121665 * e) % p
        if k >> t & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")

def ed25519_public(secret):
    """RFC 8032, section 5.1.5: the point in extended coordinates, doubled and added."""
    p = 2**255 - 19
    d = -121665 * pow(121666, p - 2, p) % p
    def add(a, b):
        u, v = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
        w, z = 2 * a[3] * b[3] * d, 2 * a[2] * b[2]
        e, f, g, h = v - u, z - w, z + w, v + u
        return e * f % p, g * h % p, f * g % p, e * h % p
    y = 4 * pow(5, p - 2, p) % p
    x = pow((y * y - 1) * pow(d * y * y + 1, p - 2, p) % p, (p + 3) // 8, p)
    if (x * x * (d * y * y + 1) - (y * y - 1)) % p:
        x = x * pow(2, (p - 1) // 4, p) % p
    point, sum = (x if x % 2 == 0 else p - x, y, 1, 0), (0, 1, 1, 0)
    point = point[:3] + (point[0] * y % p,)
    k = int.from_bytes(hashlib.sha512(secret).digest()[:32], "little") & (1 << 255) - 8 | 1 << 254
    while k:
        if k & 1:
            sum = add(sum, point)
        point, k = add(point, point), k >> 1
    z = pow(sum[2], p - 2, p)
    return (sum[1] * z % p | (sum[0] * z % p % 2) << 255).to_bytes(32, "little")

def argon2id(passphrase, salt, passes, memory, lanes):
    lib, handle, n = library("libgcrypt.so.20"), ctypes.c_void_p(), ctypes.c_size_t
    if not hasattr(lib, "gcry_kdf_open"):
        raise Unsupported("this libgcrypt has no Argon2id")
    lib.gcry_check_version(None)
    out, params = ctypes.create_string_buffer(32), (ctypes.c_ulong * 4)(32, passes, memory, lanes)
    if (lib.gcry_kdf_open(ctypes.byref(handle), 64, 2, params, 4, passphrase, n(len(passphrase)),
                          salt, n(len(salt)), None, n(0), None, n(0))
            or lib.gcry_kdf_compute(handle, None) or lib.gcry_kdf_final(handle, n(32), out)):
        raise Malformed("Argon2id can't be had with these parameters")
    lib.gcry_kdf_close(handle)
    return out.raw

def unwrap(w, commitment, secret, passphrase):
    """The pack key from one wrap; None if the wrap is for another recipient."""
    if w[0] == 1 and secret:
        public = x25519(secret)
        shared = x25519(secret, w[2])
        if hashlib.sha256(b"fdump key" + public).digest()[:16] != w[1] or shared == bytes(32):
            return None
        key = hkdf(shared, b"fdump wrap x25519" + w[2] + public)
    elif w[0] == 2 and passphrase is not None:
        key = argon2id(passphrase, *w[1:5])
    else:
        return None
    return open_gcm(key, bytes(12), commitment, w[-1])
