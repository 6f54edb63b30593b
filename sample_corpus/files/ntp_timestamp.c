/* Conversion between NTP timestamps and Unix time.
 *
 * An NTP timestamp has 64 bits: 32 for whole seconds since the start of
 * the year 1900 and 32 for the fraction of a second.
 * The smallest step of the fraction is about 233 picoseconds.
 */
#include <stdint.h>

/* Seconds from 1 January 1900 to 1 January 1970: 70 years with 17 leap days. */
#define NTP_TO_UNIX 2208988800u

/* The 32-bit counter of NTP seconds starts again from zero on 7 February 2036.
 * That moment begins era 1; an era lasts about 136 years. */
#define ERA_SECONDS 4294967296ull

struct ntp_time {
    uint32_t seconds;
    uint32_t fraction;
};

struct unix_time {
    int64_t seconds;
    uint32_t nanoseconds;
};

/* Choose the era by a pivot: values with the top bit clear are taken as era 1,
 * so the conversion is right from January 1968 until February 2104. */
struct unix_time ntp_to_unix(struct ntp_time t)
{
    int64_t era = (t.seconds & 0x80000000u) ? 0 : 1;
    struct unix_time u;
    u.seconds = (int64_t)t.seconds + era * (int64_t)ERA_SECONDS - NTP_TO_UNIX;
    u.nanoseconds = (uint32_t)(((uint64_t)t.fraction * 1000000000ull) >> 32);
    return u;
}

struct ntp_time unix_to_ntp(struct unix_time u)
{
    struct ntp_time t;
    t.seconds = (uint32_t)(u.seconds + NTP_TO_UNIX);
    t.fraction = (uint32_t)(((uint64_t)u.nanoseconds << 32) / 1000000000ull);
    return t;
}
