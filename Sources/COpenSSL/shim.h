// OpenSSL: SHA-256, and the dates in certificates. Imported by the target Crypto alone.
#ifndef LIANFEN_OPENSSL_SHIM_H
#define LIANFEN_OPENSSL_SHIM_H

// Through EVP a digest costs 0.3 µs more than its compression, for two allocations and a context, and one block at a
// time it cannot do at all.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

enum {
    lf_sha256_block = 64,
    // Of a last block: the byte 0x80 and the length in bits.
    lf_sha256_ending = 9,
    lf_sha256_short_max = 2 * lf_sha256_block - lf_sha256_ending
};

/// The digest of at most two blocks. `padded` holds the message and room behind it; what lies there is overwritten.
/// Most digests of a ledger are this short.
static inline void lf_sha256_short(uint8_t padded[2 * lf_sha256_block], size_t count, uint8_t out[32]) {
    size_t blocks = count + lf_sha256_ending > lf_sha256_block ? 2 : 1;
    size_t end = blocks * lf_sha256_block;
    padded[count] = 0x80;
    memset(padded + count + 1, 0, end - count - 1);
    padded[end - 2] = (uint8_t)(count * 8 >> 8);
    padded[end - 1] = (uint8_t)(count * 8);
    SHA256_CTX state;
    SHA256_Init(&state);
    SHA256_Transform(&state, padded);
    if (blocks == 2) SHA256_Transform(&state, padded + lf_sha256_block);
    for (int word = 0; word < 8; word++) {
        uint32_t value = __builtin_bswap32(state.h[word]);
        memcpy(out + 4 * word, &value, 4);
    }
}

/// SHA-256 of two byte ranges, one after the other; the second may be empty. Returns 1 on success.
static inline int lf_sha256(const void *a, size_t a_count, const void *b, size_t b_count, uint8_t out[32]) {
    if (a_count <= lf_sha256_short_max && b_count <= lf_sha256_short_max - a_count) {
        uint8_t padded[2 * lf_sha256_block];
        if (a_count > 0) memcpy(padded, a, a_count);
        if (b_count > 0) memcpy(padded + a_count, b, b_count);
        lf_sha256_short(padded, a_count + b_count, out);
        return 1;
    }
    SHA256_CTX state;
    return SHA256_Init(&state) == 1 && (a_count == 0 || SHA256_Update(&state, a, a_count) == 1) &&
           (b_count == 0 || SHA256_Update(&state, b, b_count) == 1) && SHA256_Final(out, &state) == 1;
}

/// SHA-256 of a tag byte and 64 bytes: an inner node of a tree. Returns 1 on success.
static inline int lf_sha256_pair(uint8_t tag, const void *pair, uint8_t out[32]) {
    uint8_t padded[2 * lf_sha256_block];
    padded[0] = tag;
    memcpy(padded + 1, pair, 64);
    lf_sha256_short(padded, 65, out);
    return 1;
}

/// When the first of the certificates in a PEM text ends, in seconds since 1970 UTC; -1 where it has none that can be
/// read.
static inline int64_t lf_certificates_end(const void *text, size_t count) {
    int64_t first = -1;
    if (count > INT32_MAX) return first;
    BIO *bio = BIO_new_mem_buf(text, (int)count);
    if (bio == NULL) return first;
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        struct tm parts;
        if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) == 1) {
            int64_t end = timegm(&parts);
            if (first < 0 || end < first) first = end;
        }
        X509_free(certificate);
    }
    BIO_free(bio);
    // Its end is an error too.
    ERR_clear_error();
    return first;
}

#endif
