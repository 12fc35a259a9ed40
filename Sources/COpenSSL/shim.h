// OpenSSL's EVP digests. Imported by the target Crypto alone.
#ifndef LIANFEN_OPENSSL_SHIM_H
#define LIANFEN_OPENSSL_SHIM_H

#include <openssl/evp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

// A digest context costs more to make than a short digest to compute (0.1 µs with a kept context, 0.4 µs without), so
// each thread keeps one; the key's destructor frees it with its thread. The variables are local to functions because
// Swift's importer emits no definition for a static variable of a header.

static void lf_sha256_free(void *context) { EVP_MD_CTX_free((EVP_MD_CTX *)context); }

static inline pthread_key_t *lf_sha256_key(void) {
    static pthread_key_t key;
    return &key;
}

static void lf_sha256_start(void) { pthread_key_create(lf_sha256_key(), lf_sha256_free); }

static inline EVP_MD_CTX *lf_sha256_new(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, lf_sha256_start);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_MD *method = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (context != NULL && method != NULL && EVP_DigestInit_ex2(context, method, NULL) == 1) {
        pthread_setspecific(*lf_sha256_key(), context);
    } else {
        EVP_MD_CTX_free(context);
        context = NULL;
    }
    EVP_MD_free(method);
    return context;
}

/// The thread's context, or null where OpenSSL has no SHA-256 to give.
static inline EVP_MD_CTX *lf_sha256_context(void) {
    static __thread EVP_MD_CTX *kept;
    if (kept == NULL) kept = lf_sha256_new();
    return kept;
}

/// SHA-256 of two byte ranges, one after the other; the second may be empty. Returns 1 on success.
static inline int lf_sha256(const void *a, size_t a_count, const void *b, size_t b_count, uint8_t out[32]) {
    EVP_MD_CTX *context = lf_sha256_context();
    return context != NULL && EVP_DigestInit_ex2(context, NULL, NULL) == 1 &&
           EVP_DigestUpdate(context, a, a_count) == 1 &&
           (b_count == 0 || EVP_DigestUpdate(context, b, b_count) == 1) &&
           EVP_DigestFinal_ex(context, out, NULL) == 1;
}

#endif
