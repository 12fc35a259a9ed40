// OpenSSL's EVP digests. Imported by the target Crypto alone.
#ifndef LIANFEN_OPENSSL_SHIM_H
#define LIANFEN_OPENSSL_SHIM_H

// One block at a time is the part of the library that EVP has no call for.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// A digest context costs more to make than a short digest to compute (0.1 µs with a kept context, 0.4 µs without), so
// each thread keeps one; the key's destructor frees it with its thread.
// The statics stand inside functions, because Swift emits an imported header's functions and not its variables.
static inline pthread_key_t *lf_sha256_key(void) {
    static pthread_key_t key;
    return &key;
}

static void lf_sha256_free(void *context) { EVP_MD_CTX_free((EVP_MD_CTX *)context); }

static void lf_sha256_start(void) { pthread_key_create(lf_sha256_key(), lf_sha256_free); }

static inline EVP_MD_CTX *lf_sha256_context(void) {
    static __thread EVP_MD_CTX *kept;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (kept == NULL) {
        pthread_once(&once, lf_sha256_start);
        EVP_MD *method = EVP_MD_fetch(NULL, "SHA256", NULL);
        kept = EVP_MD_CTX_new();
        EVP_DigestInit_ex2(kept, method, NULL);
        EVP_MD_free(method);  // The context keeps its own reference.
        pthread_setspecific(*lf_sha256_key(), kept);
    }
    return kept;
}

enum {
    lf_sha256_block = 64,
    // Of a last block: the byte 0x80 and the length in bits.
    lf_sha256_ending = 9,
    lf_sha256_short_max = 2 * lf_sha256_block - lf_sha256_ending
};

/// The digest of at most two blocks. `padded` holds the message and room behind it; what lies there is overwritten.
/// Most digests of a ledger are this short, and through EVP they cost twice as much as the compression itself.
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
    EVP_MD_CTX *context = lf_sha256_context();
    return EVP_DigestInit_ex2(context, NULL, NULL) == 1 && EVP_DigestUpdate(context, a, a_count) == 1 &&
           (b_count == 0 || EVP_DigestUpdate(context, b, b_count) == 1) &&
           EVP_DigestFinal_ex(context, out, NULL) == 1;
}

/// SHA-256 of a tag byte and 64 bytes: an inner node of a tree. Returns 1 on success.
static inline int lf_sha256_pair(uint8_t tag, const void *pair, uint8_t out[32]) {
    uint8_t padded[2 * lf_sha256_block];
    padded[0] = tag;
    memcpy(padded + 1, pair, 64);
    lf_sha256_short(padded, 65, out);
    return 1;
}

#endif
