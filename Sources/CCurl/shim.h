// libcurl. Imported by the target HTTPClient alone.
#ifndef LIANFEN_CURL_SHIM_H
#define LIANFEN_CURL_SHIM_H

#include <curl/curl.h>

// `curl_easy_setopt` and `curl_easy_getinfo` are variadic, which Swift cannot call: one function a type of value.

static inline CURLcode lf_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode lf_curl_set_large(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

/// libcurl copies the text, except that of `CURLOPT_POSTFIELDS`. NULL takes the option back.
static inline CURLcode lf_curl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode lf_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode lf_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}

/// A function that takes bytes: a full count goes on, any other ends the transfer.
typedef size_t (*lf_curl_taker)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode lf_curl_set_taker(CURL *easy, CURLoption option, lf_curl_taker taker) {
    return curl_easy_setopt(easy, option, taker);
}

static inline CURLcode lf_curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode lf_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

/// The result of the one transfer of this handle, or -1 while there is none.
static inline int lf_curl_multi_result(CURLM *multi) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) return (int)message->data.result;
    }
    return -1;
}

#endif
