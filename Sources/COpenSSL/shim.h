// OpenSSL's EVP digests. Imported by the target Crypto alone.
#ifndef LIANFEN_OPENSSL_SHIM_H
#define LIANFEN_OPENSSL_SHIM_H

#include <openssl/evp.h>
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

/// SHA-256 of two byte ranges, one after the other; the second may be empty. Returns 1 on success.
static inline int lf_sha256(const void *a, size_t a_count, const void *b, size_t b_count, uint8_t out[32]) {
    EVP_MD_CTX *context = lf_sha256_context();
    return EVP_DigestInit_ex2(context, NULL, NULL) == 1 && EVP_DigestUpdate(context, a, a_count) == 1 &&
           (b_count == 0 || EVP_DigestUpdate(context, b, b_count) == 1) &&
           EVP_DigestFinal_ex(context, out, NULL) == 1;
}

/// SHA-256 of a tag byte and 64 bytes: an inner node of a tree, in one update.
static inline int lf_sha256_pair(uint8_t tag, const void *pair, uint8_t out[32]) {
    EVP_MD_CTX *context = lf_sha256_context();
    uint8_t input[65];
    input[0] = tag;
    memcpy(input + 1, pair, 64);
    return EVP_DigestInit_ex2(context, NULL, NULL) == 1 && EVP_DigestUpdate(context, input, sizeof input) == 1 &&
           EVP_DigestFinal_ex(context, out, NULL) == 1;
}

#endif
