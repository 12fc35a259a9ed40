// libsodium: Ed25519, Argon2id and XChaCha20-Poly1305. Imported by the target Crypto alone.
#include <sodium.h>
