// spray INTERFACE COUNT OFFSET LENGTH <FRAME: sends the Ethernet frame COUNT times, with other random bytes at
// OFFSET..OFFSET+LENGTH (both even) in each, many with one system call. A checksum over them stays right: their sum
// does not change. Prints how many were sent, and in how many seconds.
#define _GNU_SOURCE
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
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

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const long count = atol(argv[2]), offset = atol(argv[3]), length = atol(argv[4]);
  const ssize_t size = read(0, frames[0], MOST);
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[1])};
  const int out = socket(AF_PACKET, SOCK_RAW, 0);
  if (size <= 0 || offset + length > size || out < 0 || bind(out, (struct sockaddr*)&to, sizeof to) != 0) return 1;
  struct iovec parts[BATCH];
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; ++i) {
    memcpy(frames[i], frames[0], (size_t)size);
    parts[i] = (struct iovec){frames[i], (size_t)size};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  const uint32_t sum = sum_of(frames[0] + offset, length);
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  long sent = 0;
  while (sent < count) {
    const unsigned now = count - sent < BATCH ? (unsigned)(count - sent) : BATCH;
    for (unsigned i = 0; i < now && length > 0; ++i) randomise(frames[i] + offset, length, sum);
    const int done = sendmmsg(out, messages, now, 0);
    if (done < 0) return 1;
    sent += done;
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  const double seconds = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
  printf("%ld %f\n", sent, seconds);
  return 0;
}
