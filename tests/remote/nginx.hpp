// A real nginx at free ports of the loopback, with a configuration and logs of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "support/files.hpp"

namespace ggufkit::test {

// One line of the access log.
struct Served {
    int status = 0;
    std::uint64_t bytes = 0;  // of the body
    int port = 0;
    std::string path, range, if_none_match, authorization;
};

class Nginx {
  public:
    Nginx();
    Nginx(const Nginx&) = delete;
    Nginx& operator=(const Nginx&) = delete;
    ~Nginx();

    // Files in here are served, at every server and place below.
    std::string file(const std::string& name) const { return folder_ / ("files/" + name); }

    // /files/, with ranges; the same without ranges as /whole/, slowly as /slow/, to whom has the token "hf_secret" as
    // /private/, with the password "pass word" of "user" as /password/; /forbidden/ (403), /page/ (HTML), /around/
    // (redirects for ever), /moved/ (to /files/), /away/ (to the other server), /plain/ (to http); and
    // /owner/repo/resolve/REVISION/ as Hugging Face has it: for the token alone, and to the other server.
    std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
    // By TLS, with a certificate that only certificate() vouches for.
    std::string secure_url(const std::string& path) const {
        return "https://127.0.0.1:" + std::to_string(secure_port_) + path;
    }
    std::string certificate() const { return folder_ / "certificate.pem"; }
    std::string stranger() const { return folder_ / "stranger.pem"; }  // vouches for nothing here
    int other_port() const { return other_port_; }

    // What was served since the last call, once it is so many requests or more.
    std::vector<Served> served(std::size_t requests);

  private:
    void write_configuration() const;
    bool start();
    bool answers() const;

    TemporaryFolder folder_;
    int port_ = 0, other_port_ = 0, secure_port_ = 0;
    pid_t process_ = -1;
    std::size_t lines_seen_ = 0;
};

// Ends the test process as skipped where there is no nginx (or no openssl, for its certificate); as failed where CI is set.
void require_nginx();

}  // namespace ggufkit::test
