/* A PKCS#11 module in front of another that fails as it is told, for what no real token does when
 * a test wants it.
 *
 * SHIM_MODULE  the module behind it; SoftHSM if not set
 * SHIM_INIT    the string that it is given at C_Initialize, for a caller that cannot
 * SHIM_FAULT   FUNCTION:ACTION[,FUNCTION:ACTION], the function by its place in CK_FUNCTION_LIST
 *              (C_Initialize is 0), the action a CKR_ code in hexadecimal, or `hang`, `exit`,
 *              `abort`, `crash`, `wait` (for the file SHIM_GO and a second more, and go on),
 *              `kill` (the process, after the real call)
 * SHIM_HIDE    mechanisms that C_GetMechanismList leaves out, in hexadecimal, with commas between
 * SHIM_FLAGS   flags that C_GetTokenInfo adds, in hexadecimal
 * SHIM_CLEAR   flags that C_GetTokenInfo takes away, in hexadecimal
 * SHIM_FALSE   an attribute, in hexadecimal: C_GetAttributeValue says CK_FALSE of it
 * SHIM_GCM     the IV of AES_GCM is the token's own: it writes it over the one that it is given
 *              (`over`), or in front of what it has encrypted (`front`)
 * SHIM_ONCE    a file: the faults apply until it exists; it is made by the first of them
 * SHIM_CALLS   a file: each call adds one byte to it, its place in CK_FUNCTION_LIST
 * SHIM_LOGINS  a file: one byte is added to it by each C_Login
 * SHIM_LOGGED  a file: one byte is added to it by each C_Login that comes back
 * SHIM_CONF    if set, SOFTHSM2_CONF is this from C_InitToken on
 * SHIM_NOSLOTS if set, C_GetSlotList shows no slots
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long ulong;
typedef ulong (*fn)(ulong, ulong, ulong, ulong, ulong, ulong, ulong, ulong);
struct list { unsigned char version[2]; fn f[68]; };

enum { FUNCTIONS = 68, INITIALIZE = 0, GET_FUNCTION_LIST = 3, GET_SLOT_LIST = 4,
       GET_TOKEN_INFO = 6, GET_MECHANISM_LIST = 7, INIT_TOKEN = 9, LOGIN = 18,
       GET_ATTRIBUTE_VALUE = 24, ENCRYPT_INIT = 29, ENCRYPT = 30 };

enum { CKM_AES_GCM = 0x1087, IV_LENGTH = 12 };
struct mechanism { ulong type; void *parameter; ulong length; };
struct gcm { unsigned char *iv; ulong iv_length, iv_bits; void *aad; ulong aad_length, tag_bits; };
struct attribute { ulong type; unsigned char *value; ulong length; };

static struct list *real;
static struct list shim;

static void add(const char *variable, unsigned char byte) {
    const char *path = getenv(variable);
    if (path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (fd >= 0) { if (write(fd, &byte, 1) != 1) abort(); close(fd); }
    }
}

static void add_byte(const char *variable) { add(variable, 'x'); }

static int is(const char *action, const char *name) {
    return strncmp(action, name, strlen(name)) == 0;
}

static void rest(time_t seconds, long nanoseconds) {
    struct timespec left = { seconds, nanoseconds };
    while (nanosleep(&left, &left) != 0) ;
}

static ulong act(const char *action) {
    if (is(action, "hang")) for (;;) pause();
    if (is(action, "exit")) exit(5);
    if (is(action, "abort")) abort();
    if (is(action, "crash")) *(volatile int *)0 = 1;
    if (is(action, "wait")) {
        while (access(getenv("SHIM_GO"), F_OK) != 0) rest(0, 5000000);
        rest(1, 0);
        return 0;
    }
    if (is(action, "kill")) return 0;
    return strtoul(action, NULL, 16);
}

/* What SHIM_FAULT says of the function. */
static const char *action_of(int function) {
    const char *spec = getenv("SHIM_FAULT");
    const char *once = getenv("SHIM_ONCE");
    if (once && access(once, F_OK) == 0) return NULL;
    while (spec && *spec) {
        char *end;
        if ((int)strtol(spec, &end, 10) == function && *end == ':') return end + 1;
        spec = strchr(spec, ',');
        if (spec) spec++;
    }
    return NULL;
}

/* 0 where the call goes on; else the code to return. */
static ulong fault(int function) {
    const char *action = action_of(function);
    if (!action) return 0;
    add_byte("SHIM_ONCE");
    return act(action);
}

static void kill_after(int function) {
    const char *action = action_of(function);
    if (action && is(action, "kill")) kill(getpid(), SIGKILL);
}

/* CK_C_INITIALIZE_ARGS: four functions, the flags (CKF_OS_LOCKING_OK), pReserved. */
static ulong initialize(void) {
    ulong arguments[6] = { 0, 0, 0, 0, 2, (ulong)getenv("SHIM_INIT") };
    return real->f[INITIALIZE]((ulong)arguments, 0, 0, 0, 0, 0, 0, 0);
}

static ulong token_info(ulong slot, ulong info) {
    ulong rv = real->f[GET_TOKEN_INFO](slot, info, 0, 0, 0, 0, 0, 0);
    const char *added = getenv("SHIM_FLAGS"), *cleared = getenv("SHIM_CLEAR");
    /* label 32, manufacturer 32, model 16, serial 16, then the flags */
    ulong *flags = (ulong *)(info + 96);
    if (rv == 0 && *flags & 0x400) {
        if (added) *flags |= strtoul(added, NULL, 16);
        if (cleared) *flags &= ~strtoul(cleared, NULL, 16);
    }
    return rv;
}

static int is_hidden(ulong mechanism) {
    char *next = getenv("SHIM_HIDE");
    while (next && *next) {
        if (strtoul(next, &next, 16) == mechanism) return 1;
        if (*next++ != ',') break;
    }
    return 0;
}

static ulong mechanism_list(ulong slot, ulong list, ulong count) {
    ulong rv = real->f[GET_MECHANISM_LIST](slot, list, count, 0, 0, 0, 0, 0);
    if (rv == 0 && list) {
        ulong *mechanisms = (ulong *)list, *length = (ulong *)count, kept = 0;
        for (ulong i = 0; i < *length; i++)
            if (!is_hidden(mechanisms[i])) mechanisms[kept++] = mechanisms[i];
        *length = kept;
    }
    return rv;
}

static void say_false(struct attribute *attributes, ulong count) {
    const char *lie = getenv("SHIM_FALSE");
    for (ulong i = 0; lie && i < count; i++)
        if (attributes[i].type == strtoul(lie, NULL, 16) && attributes[i].value)
            *attributes[i].value = 0;
}

/* What SHIM_GCM says. */
static int gcm_goes(const char *where) {
    const char *told = getenv("SHIM_GCM");
    return told && strcmp(told, where) == 0;
}

static int iv_goes_in_front;

static void encrypt_init(struct mechanism *mechanism) {
    int is_gcm = mechanism->type == CKM_AES_GCM;
    iv_goes_in_front = is_gcm && gcm_goes("front");
    if (is_gcm && gcm_goes("over")) {
        struct gcm *gcm = mechanism->parameter;
        for (ulong i = 0; i < gcm->iv_length; i++) gcm->iv[i] ^= 0xA5;
    }
}

static ulong encrypt(ulong session, ulong data, ulong data_length, ulong out, ulong out_length) {
    ulong *length = (ulong *)out_length, room = out ? *length - IV_LENGTH : 0;
    if (out) memset((void *)out, 0, IV_LENGTH);
    ulong rv = real->f[ENCRYPT](session, data, data_length, out ? out + IV_LENGTH : 0,
                                (ulong)&room, 0, 0, 0);
    *length = room + IV_LENGTH;
    return rv;
}

static ulong call(int n, ulong a, ulong b, ulong c, ulong d, ulong e, ulong g, ulong h, ulong i) {
    add("SHIM_CALLS", (unsigned char)n);
    if (n == LOGIN) add_byte("SHIM_LOGINS");
    ulong rv = fault(n);
    if (rv) return rv;
    if (n == INITIALIZE && getenv("SHIM_INIT")) return initialize();
    if (n == GET_TOKEN_INFO) return token_info(a, b);
    if (n == GET_MECHANISM_LIST) return mechanism_list(a, b, c);
    if (n == GET_SLOT_LIST && getenv("SHIM_NOSLOTS")) { *(ulong *)c = 0; return 0; }
    if (n == ENCRYPT_INIT) encrypt_init((struct mechanism *)b);
    if (n == ENCRYPT && iv_goes_in_front) return encrypt(a, b, c, d, e);
    rv = real->f[n](a, b, c, d, e, g, h, i);
    kill_after(n);
    if (n == GET_ATTRIBUTE_VALUE) say_false((struct attribute *)c, d);
    if (n == LOGIN) add_byte("SHIM_LOGGED");
    if (n == INIT_TOKEN && getenv("SHIM_CONF")) setenv("SOFTHSM2_CONF", getenv("SHIM_CONF"), 1);
    return rv;
}

#define F(n) static ulong f##n(ulong a, ulong b, ulong c, ulong d, ulong e, ulong g, ulong h, ulong i) \
    { return call(n, a, b, c, d, e, g, h, i); }
#define TEN(t) F(t##0) F(t##1) F(t##2) F(t##3) F(t##4) F(t##5) F(t##6) F(t##7) F(t##8) F(t##9)
F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9)
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5)
F(60) F(61) F(62) F(63) F(64) F(65) F(66) F(67)

#define N(n) f##n,
#define TENN(t) N(t##0) N(t##1) N(t##2) N(t##3) N(t##4) N(t##5) N(t##6) N(t##7) N(t##8) N(t##9)
static fn shims[FUNCTIONS] = { f0, f1, f2, f3, f4, f5, f6, f7, f8, f9,
    TENN(1) TENN(2) TENN(3) TENN(4) TENN(5) f60, f61, f62, f63, f64, f65, f66, f67 };

ulong C_GetFunctionList(struct list **out) {
    ulong rv = fault(GET_FUNCTION_LIST);
    if (rv) return rv;
    const char *path = getenv("SHIM_MODULE");
    if (!path) path = "/usr/lib/softhsm/libsofthsm2.so";
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return 5;
    ulong (*get)(struct list **) = (ulong (*)(struct list **))dlsym(library, "C_GetFunctionList");
    rv = get(&real);
    if (rv) return rv;
    shim = *real;
    memcpy(shim.f, shims, sizeof shims);
    *out = &shim;
    return 0;
}
