#include "support.h"

static size_t prefixed_key(size_t prefix_len, uint64_t number, unsigned char *key)
{
    memset(key, 'p', prefix_len);
    if (number == 0) {
        return prefix_len;
    }
    /* The digits reversed, so that adjacent numbers are not adjacent in order. */
    size_t len = prefix_len;
    for (uint64_t rest = number; rest != 0; rest /= 10) {
        key[len++] = (unsigned char)('0' + rest % 10);
    }
    return len;
}

/* The binary digits of number + 1 after the leading one, each as three bytes: every string of
   digits belongs to some number, so some keys are prefixes of others. */
static size_t mixed_key(uint64_t number, unsigned char *key)
{
    uint64_t digits = number + 1;
    size_t len = 0;
    for (unsigned bit = 63 - (unsigned)__builtin_clzll(digits); bit-- > 0;) {
        memset(key + len, (digits >> bit & 1) != 0 ? 0xFF : 0x00, 3);
        len += 3;
    }
    return len;
}

size_t family_key(enum family family, uint64_t number, unsigned char *key)
{
    switch (family) {
    case FAMILY_PREFIX8:
        return prefixed_key(8, number, key);
    case FAMILY_PREFIX16:
        return prefixed_key(16, number, key);
    case FAMILY_PREFIX24:
        return prefixed_key(24, number, key);
    case FAMILY_MIXED:
        return mixed_key(number, key);
    default:
        masstree_u64_to_key(number, key);
        return 8;
    }
}

const char *family_name(enum family family)
{
    static const char *const names[FAMILIES] = {"u64", "prefix8", "prefix16", "prefix24", "mixed"};
    return names[family];
}

static uint64_t number_of_digits(const unsigned char *digits, size_t count)
{
    uint64_t number = 0;
    for (size_t i = count; i-- > 0;) {
        number = number * 10 + (uint64_t)(digits[i] - '0');
    }
    return number;
}

static uint64_t number_of_bits(const unsigned char *bytes, size_t len)
{
    uint64_t digits = 1;
    for (size_t i = 0; i + 2 < len; i += 3) {
        digits = digits << 1 | (bytes[i] & 1);
    }
    return digits - 1;
}

bool family_number(enum family family, const void *key, size_t key_len, uint64_t *number)
{
    size_t prefix_len = family == FAMILY_U64 || family == FAMILY_MIXED ? 0 : 8 * (size_t)family;
    if (key_len < prefix_len || key_len > FAMILY_KEY_MAX) {
        return false;
    }
    if (family == FAMILY_U64) {
        if (masstree_u64_from_key(key, key_len, number) != MASSTREE_OK) {
            return false;
        }
    } else if (family == FAMILY_MIXED) {
        *number = number_of_bits(key, key_len);
    } else {
        *number = number_of_digits((const unsigned char *)key + prefix_len, key_len - prefix_len);
    }
    unsigned char again[FAMILY_KEY_MAX];
    size_t len = family_key(family, *number, again);
    return compare_keys(again, len, key, key_len) == 0;
}
