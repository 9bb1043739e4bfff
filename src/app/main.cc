// The program: settings, signals, and the order in which a node lives.

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "app/node.h"
#include "ops/command_line.h"

namespace {

using namespace rillgate;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// After the drain's period: for what is still being written or stored.
constexpr milliseconds kGraceAfterDrain{5'000};
constexpr milliseconds kPoll{20};

/// The signals that steer the process, read by the main thread alone.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);  // before any other thread is made: they inherit it
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files fails the write, and that is answered
  }
  int wait() const {
    int signal = 0;
    sigwait(&set_, &signal);
    return signal;
  }
  /// 0 when none came in time.
  int wait_until(steady_clock::time_point end) const {
    const auto left = std::max(end - steady_clock::now(), steady_clock::duration::zero());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    const timespec time{.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(left - seconds).count()};
    return std::max(sigtimedwait(&set_, nullptr, &time), 0);
  }

 private:
  sigset_t set_{};
};

/// Waits until `end` or `done`. A second SIGTERM or SIGINT ends the process at once.
template <class Done>
void wait_while_draining(const Signals& signals, steady_clock::time_point end, ops::Logger& log, Done done) {
  while (steady_clock::now() < end && !done()) {
    const int signal = signals.wait_until(std::min(end, steady_clock::now() + kPoll));
    if (signal == SIGTERM || signal == SIGINT) {
      log.warn("second signal: ending at once");
      _exit(128 + signal);
    }
  }
}

int serve(const ops::Serve& command, ops::Arguments arguments, const ops::Environment& environment) {
  const ops::Settings& settings = command.settings;
  ops::Logger log(settings.log.level, settings.log.format);
  for (const std::string& warning : command.warnings) log.warn(warning);
  const Signals signals;

  app::Node node(settings, log);
  if (const auto started = node.start(); !started) {
    log.error(started.error().what);
    return 1;
  }
  log.info("ready");

  for (int signal = signals.wait(); signal == SIGHUP; signal = signals.wait()) {
    if (const auto level = ops::reload_log_level(arguments, environment); level) {
      log.set_level(*level);
      log.info("settings read again");
    } else {
      log.error(level.error().what);
    }
  }

  log.info("draining");
  node.announce_drain();
  wait_while_draining(signals, steady_clock::now() + settings.drain.delay, log, [] { return false; });
  node.drain_streams(settings.drain.period);
  wait_while_draining(signals, steady_clock::now() + settings.drain.period + kGraceAfterDrain, log,
                      [&] { return !node.has_streams(); });
  node.stop();
  log.info("stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const ops::Arguments arguments(argv + 1, static_cast<std::size_t>(argc - 1));
    const ops::Environment environment = ops::environment_of(environ);
    const auto command = ops::parse_command_line(arguments, environment);
    if (!command) {
      std::fputs(command.error().out.c_str(), stdout);
      std::fputs(command.error().err.c_str(), stderr);
      return command.error().status;
    }
    return serve(*command, arguments, environment);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rillgate: %s\n", error.what());
    return 1;
  }
}
