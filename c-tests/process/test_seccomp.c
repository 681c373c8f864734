/* Programs whose seccomp filter refuses membarrier (known-failures row 42): before the first
   tree, the library uses an alternative; afterwards, it aborts with an explanation. Each case is
   its own process. */
#include "support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77, KEYS = 1000 };

/* No thread of the process may call either from here on: they fail with EPERM. */
static void refuse(unsigned number, unsigned other)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT(rules), rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0 ||
        syscall(__NR_membarrier, 0, 0) != -1) {
        _exit(SKIPPED);
    }
}

static void refuse_membarrier(void)
{
    refuse(__NR_membarrier, __NR_membarrier);
}

static size_t destroyed;

static void count_destroyed(uint64_t value, void *ctx)
{
    (void)value;
    (void)ctx;
    destroyed++;
}

static masstree_t *tree_of_counted(void)
{
    masstree_t *tree = NULL;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_destructor = count_destroyed;
    REQUIRE(masstree_create(&options, &tree) == MASSTREE_OK);
    return tree;
}

/* Values are displaced and freed. */
static void use(masstree_t *tree)
{
    for (uint64_t key = 0; key < KEYS; key++) {
        REQUIRE(masstree_put_u64(tree, NULL, key, key) == MASSTREE_OK);
        REQUIRE(masstree_remove_u64(tree, NULL, key, NULL) == MASSTREE_OK);
    }
    REQUIRE(masstree_flush(tree, NULL) == MASSTREE_OK);
    REQUIRE(destroyed == KEYS);
}

static void refuse_before_the_first_tree(void)
{
    refuse_membarrier();
    masstree_t *tree = tree_of_counted();
    use(tree);
    REQUIRE(masstree_barrier(tree) == MASSTREE_OK);
    masstree_destroy(tree);
}

/* What takes the place of membarrier calls mlock once. No call shows it in errno. */
static void refuse_mlock_too(void)
{
    refuse(__NR_membarrier, __NR_mlock);
    errno = EDOM;
    masstree_t *tree = tree_of_counted();
    use(tree);
    REQUIRE(masstree_barrier(tree) == MASSTREE_OK);
    REQUIRE(errno == EDOM);
    masstree_destroy(tree);
    REQUIRE(errno == EDOM);
}

/* The first tree found membarrier allowed, the second does not. */
static void refuse_mlock_before_the_second_tree(void)
{
    masstree_t *first = tree_of_counted();
    use(first);
    destroyed = 0;
    refuse_mlock_too();
}

static void refuse_and_retire(void)
{
    masstree_t *tree = tree_of_counted();
    refuse_membarrier();
    use(tree);
}

static void refuse_and_wait(void)
{
    masstree_t *tree = tree_of_counted();
    refuse_membarrier();
    REQUIRE(masstree_barrier(tree) == MASSTREE_OK);
}

/* An abort with another cause: the library prints nothing about membarrier. */
static void retire_and_abort(void)
{
    use(tree_of_counted());
    abort();
}

struct end {
    int status;
    char said[1000]; /* on stderr */
};

static struct end end_of(void (*run)(void))
{
    struct end end = {0};
    int pipes[2];
    assert_int_equal(0, pipe(pipes));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* cmocka's handlers would catch an abort. */
        signal(SIGABRT, SIG_DFL);
        if (dup2(pipes[1], STDERR_FILENO) < 0) {
            _exit(1);
        }
        run();
        _exit(0);
    }
    close(pipes[1]);
    size_t len = 0;
    ssize_t got;
    /* Terminates: when the child has, which holds the other end. */
    while ((got = read(pipes[0], end.said + len, sizeof end.said - 1 - len)) > 0) {
        len += (size_t)got;
    }
    close(pipes[0]);
    assert_int_equal(child, waitpid(child, &end.status, 0));
    return end;
}

static bool was_skipped(const struct end *end)
{
    return WIFEXITED(end->status) && WEXITSTATUS(end->status) == SKIPPED;
}

/* Put back: let the library call membarrier without having queried the kernel. */
static void refused_before_the_first_tree_it_is_done_without(void **state)
{
    (void)state;
    struct end end = end_of(refuse_before_the_first_tree);
    if (was_skipped(&end)) {
        skip();
    }
    assert_string_equal("", end.said);
    assert_int_equal(0, end.status);
}

/* Put back: no barrier in Domain::create; or one for both answers of the kernel; or no `preserve`
   there. */
static void refused_with_mlock_errno_stays(void **state)
{
    (void)state;
    void (*const runs[])(void) = {refuse_mlock_too, refuse_mlock_before_the_second_tree};
    for (size_t i = 0; i < COUNT(runs); i++) {
        struct end end = end_of(runs[i]);
        if (was_skipped(&end)) {
            skip();
        }
        assert_string_equal("", end.said);
        assert_int_equal(0, end.status);
    }
}

/* Put back: link the library without its own abort. */
static void refused_afterwards_the_abort_explains_itself(void **state)
{
    (void)state;
    void (*const runs[])(void) = {refuse_and_retire, refuse_and_wait};
    for (size_t i = 0; i < COUNT(runs); i++) {
        struct end end = end_of(runs[i]);
        if (was_skipped(&end)) {
            skip();
        }
        assert_true(WIFSIGNALED(end.status));
        assert_int_equal(SIGABRT, WTERMSIG(end.status));
        assert_non_null(strstr(end.said, "libmasstree"));
        assert_non_null(strstr(end.said, "membarrier"));
        assert_non_null(strstr(end.said, "seccomp"));
    }
}

static void other_aborts_are_not_explained(void **state)
{
    (void)state;
    struct end end = end_of(retire_and_abort);
    assert_true(WIFSIGNALED(end.status));
    assert_string_equal("", end.said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_before_the_first_tree_it_is_done_without),
        cmocka_unit_test(refused_with_mlock_errno_stays),
        cmocka_unit_test(refused_afterwards_the_abort_explains_itself),
        cmocka_unit_test(other_aborts_are_not_explained),
    };
    struct end end = end_of(refuse_membarrier);
    if (was_skipped(&end)) {
        return SKIPPED;
    }
    return cmocka_run_group_tests_name("seccomp", tests, NULL, NULL);
}
