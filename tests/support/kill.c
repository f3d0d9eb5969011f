/* Loaded before libc: at the KILL_AT-th change of a file or message to a server, the process is
 * killed as by a power cut: SIGKILL, in the middle of a write if that is what it is doing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static long left = 0;

__attribute__((constructor)) static void arm(void) {
  const char *at = getenv("KILL_AT");
  left = at ? atol(at) : 0;
}

static int last(void) {
  return __atomic_load_n(&left, __ATOMIC_SEQ_CST) > 0 &&
         __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) == 0;
}

static void step(void) {
  if (last()) kill(getpid(), SIGKILL);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t n) {
  struct stat st;
  if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode)) && last()) {
    if (n > 1) REAL(write)(fd, bytes, n / 2);
    kill(getpid(), SIGKILL);
  }
  return REAL(write)(fd, bytes, n);
}

ssize_t writev(int fd, const struct iovec *v, int n) {
  step();
  return REAL(writev)(fd, v, n);
}

ssize_t send(int fd, const void *bytes, size_t n, int flags) {
  step();
  return REAL(send)(fd, bytes, n, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags) {
  step();
  return REAL(sendmsg)(fd, m, flags);
}

int fsync(int fd) {
  step();
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  step();
  return REAL(fdatasync)(fd);
}

int rename(const char *from, const char *to) {
  step();
  return REAL(rename)(from, to);
}

int unlink(const char *path) {
  step();
  return REAL(unlink)(path);
}

int unlinkat(int fd, const char *path, int flags) {
  step();
  return REAL(unlinkat)(fd, path, flags);
}

int mkdir(const char *path, mode_t mode) {
  step();
  return REAL(mkdir)(path, mode);
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (flags & O_CREAT) step();
  return REAL(open64)(path, flags, mode);
}
