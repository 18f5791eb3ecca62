// spray INTERFACE COUNT BATCH PAUSE [OFFSET LENGTH]... <FRAME: sends the Ethernet frame COUNT times (COUNT+: and then on
// until SIGTERM), with other random bytes at OFFSET..OFFSET+LENGTH (both even) in each; BATCH with one system call, then
// PAUSE microseconds. A checksum over them stays right: their sum does not change. Prints how many were sent, in how many
// seconds.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, MOST = 2048 };
static unsigned char frames[BATCH][MOST];
static uint64_t state = 88172645463325252ULL;

static unsigned char random_byte(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (unsigned char)(state >> 32);
}

// Of 16-bit words, as the Internet's checksum has it.
static uint32_t sum_of(const unsigned char* bytes, long length) {
  uint32_t sum = 0;
  for (long at = 0; at + 1 < length; at += 2) sum = (sum + (uint32_t)(bytes[at] << 8 | bytes[at + 1])) % 0xffff;
  return sum;
}

static void randomise(unsigned char* bytes, long length, uint32_t sum) {
  for (long at = 0; at < length - 2; ++at) bytes[at] = random_byte();
  const uint32_t last = (sum + 0xffff - sum_of(bytes, length - 2)) % 0xffff;
  bytes[length - 2] = (unsigned char)(last >> 8);
  bytes[length - 1] = (unsigned char)last;
}

static volatile sig_atomic_t ending;

static void end(int number) {
  (void)number;
  ending = 1;
}

int main(int argc, char** argv) {
  if (argc < 5 || argc % 2 == 0) return 2;
  char* after;
  const long count = strtol(argv[2], &after, 10), batch = atol(argv[3]), pause = atol(argv[4]);
  const int goes_on = *after == '+';
  const ssize_t size = read(0, frames[0], MOST);
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1])};
  const int out = socket(AF_PACKET, SOCK_RAW, 0);
  if (size <= 0 || batch < 1 || batch > BATCH || out < 0 || bind(out, (struct sockaddr*)&to, sizeof to) != 0) return 1;
  struct iovec parts[BATCH];
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; ++i) {
    memcpy(frames[i], frames[0], (size_t)size);
    parts[i] = (struct iovec){frames[i], (size_t)size};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  if (goes_on) signal(SIGTERM, end);
  struct timespec began, ended;
  clock_gettime(CLOCK_MONOTONIC, &began);
  long sent = 0;
  while (sent < count || (goes_on && !ending)) {
    const long now = goes_on || count - sent > batch ? batch : count - sent;
    for (int at = 5; at + 1 < argc; at += 2) {
      const long offset = atol(argv[at]), length = atol(argv[at + 1]);
      if (length < 4 || offset < 0 || offset + length > size) return 2;
      const uint32_t sum = sum_of(frames[0] + offset, length);
      for (long i = 0; i < now; ++i) randomise(frames[i] + offset, length, sum);
    }
    const int done = sendmmsg(out, messages, (unsigned)now, 0);
    if (done < 0 && errno != ENOBUFS) return 1;  // what the link drops it counts
    if (done > 0) sent += done;
    if (pause > 0) usleep((useconds_t)pause);
  }
  clock_gettime(CLOCK_MONOTONIC, &ended);
  const double seconds = (double)(ended.tv_sec - began.tv_sec) + 1e-9 * (double)(ended.tv_nsec - began.tv_nsec);
  printf("%ld %f\n", sent, seconds);
  return 0;
}
