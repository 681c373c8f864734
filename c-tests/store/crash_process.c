#include "crash_process.h"
#include "stores.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void crash_arguments(int argc, char **argv, struct crash_arguments *arguments)
{
    if (strcmp(argv[0], "writer") == 0 && argc == 4) {
        crash_write(crash_journal_map(argv[1]), argv[2], argument_number(argv[3]));
        exit(0);
    }
    read_arguments(argc, argv, "ROUNDS", &arguments->rounds, &arguments->seed);
}

void crash_wait_us(uint64_t us)
{
    struct timespec time = {(time_t)(us / 1000000), (long)(us % 1000000 * 1000)};
    nanosleep(&time, NULL);
}

pid_t crash_start_writer(const char *journal, const char *directory, uint64_t seed)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, seed);
    pid_t writer = fork();
    REQUIRE(writer >= 0);
    if (writer == 0) {
        become_writer(journal, directory, text);
    }
    return writer;
}

void crash_await_begin(struct crash_journal *journal, pid_t writer)
{
    siginfo_t ended = {.si_pid = 0};
    while (!crash_has_begun(journal) && ended.si_pid == 0) {
        sched_yield();
        REQUIRE(waitid(P_PID, (id_t)writer, &ended, WEXITED | WNOHANG | WNOWAIT) == 0);
    }
}
