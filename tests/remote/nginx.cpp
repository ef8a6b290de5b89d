#include "remote/nginx.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "remote/scripted_server.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"

namespace ggufkit::test {

namespace {

using namespace std::chrono_literals;

constexpr const char* configuration = R"(
daemon off;
master_process off;
error_log FOLDER/error.log;
pid FOLDER/nginx.pid;
events { worker_connections 64; }
http {
    log_format test '$status|$body_bytes_sent|$server_port|$uri|$http_range|$http_if_none_match|$http_authorization';
    access_log FOLDER/access.log test;
    client_body_temp_path FOLDER/temporary; proxy_temp_path FOLDER/temporary; fastcgi_temp_path FOLDER/temporary;
    uwsgi_temp_path FOLDER/temporary; scgi_temp_path FOLDER/temporary;
    default_type application/octet-stream;
    ssl_certificate FOLDER/certificate.pem;
    ssl_certificate_key FOLDER/key.pem;
    server {
        listen 127.0.0.1:PORT_A;
        listen 127.0.0.1:PORT_C ssl;
        root FOLDER;
        location /whole/ { alias FOLDER/files/; max_ranges 0; }
        location /slow/ { alias FOLDER/files/; limit_rate 400k; }
        location /private/ { if ($http_authorization != "Bearer hf_secret") { return 401; } alias FOLDER/files/; }
        location /password/ { auth_basic test; auth_basic_user_file FOLDER/passwords; alias FOLDER/files/; }
        location /forbidden/ { return 403; }
        location /page/ { default_type text/html; return 200 "<html>"; }
        location /around/ { return 302 $scheme://$http_host$uri; }
        location ~ ^/moved/(.*)$ { return 302 /files/$1; }
        location ~ ^/away/(.*)$ { return 302 http://127.0.0.1:PORT_B/files/$1; }
        location ~ ^/plain/(.*)$ { return 302 http://127.0.0.1:PORT_A/files/$1; }
        location ~ ^/owner/repo/resolve/[^/]*/(.*)$ {
            if ($http_authorization != "Bearer hf_secret") { return 401; }
            return 302 http://127.0.0.1:PORT_B/files/$1;
        }
    }
    server {
        listen 127.0.0.1:PORT_B;
        root FOLDER;
    }
}
)";

std::string environment_path() {
    const char* const path = std::getenv("PATH");
    return std::string(path == nullptr ? "" : path) + ":/usr/sbin";  // where Debian has nginx
}

CommandResult shell(const std::string& script) {
    return run_command({"/bin/sh", "-c", script}, {}, {"PATH=" + environment_path()});
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
        text.replace(at, from.size(), to);
}

}  // namespace

void require_nginx() {
    if (shell("command -v nginx && command -v openssl").exit_code == 0) return;
    const bool required = std::getenv("CI") != nullptr;
    std::fputs(required ? "FAILED: nginx or openssl is missing\n" : "SKIPPED: needs nginx and openssl\n", stderr);
    std::_Exit(required ? 1 : 77);
}

Nginx::Nginx() {
    const std::string certify =
        " && openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=test -addext "
        "subjectAltName=IP:127.0.0.1 -days 30 ";
    const auto made = shell("cd '" + folder_.path().string() +
                            "' && mkdir files temporary && printf 'user:{PLAIN}pass word\\n' > passwords" + certify +
                            "-keyout key.pem -out certificate.pem" + certify + "-keyout other.pem -out stranger.pem");
    if (made.exit_code != 0) throw std::runtime_error(made.err);
    for (int attempt = 0; attempt < 5; ++attempt) {  // another program may take a port in between
        port_ = free_port(), other_port_ = free_port(), secure_port_ = free_port();
        write_configuration();
        if (start()) return;
    }
    throw std::runtime_error("nginx does not start");
}

Nginx::~Nginx() {
    if (process_ <= 0) return;
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
}

void Nginx::write_configuration() const {
    std::string text = configuration;
    replace_all(text, "FOLDER", folder_.path().string());
    replace_all(text, "PORT_A", std::to_string(port_));
    replace_all(text, "PORT_B", std::to_string(other_port_));
    replace_all(text, "PORT_C", std::to_string(secure_port_));
    write_file(folder_ / "nginx.conf", text);
}

bool Nginx::start() {
    // exec: so that the signal that ends it reaches nginx.
    std::string program = "/bin/sh", flag = "-c";
    std::string script = "PATH='" + environment_path() + "'; exec nginx -e '" + folder_ / "error.log" + "' -c '" +
                         folder_ / "nginx.conf" + "' 2> /dev/null > /dev/null";
    char* const arguments[] = {program.data(), flag.data(), script.data(), nullptr};
    if (::posix_spawn(&process_, program.c_str(), nullptr, nullptr, arguments, environ) != 0) return false;
    for (int i = 0; i < 1000; ++i) {
        if (answers()) return true;
        if (::waitpid(process_, nullptr, WNOHANG) == process_) return false;
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

bool Nginx::answers() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return connected;
}

std::vector<Served> Nginx::served(std::size_t requests) {
    std::vector<Served> served;
    for (int i = 0; i < 1000; ++i) {  // a line may come after the answer has
        served.clear();
        std::ifstream log(folder_ / "access.log");
        std::size_t number = 0;
        for (std::string line; std::getline(log, line) && !log.eof();) {
            if (number++ < lines_seen_) continue;
            Served one;
            std::istringstream fields(line);
            std::string status, bytes, port;
            std::getline(std::getline(std::getline(fields, status, '|'), bytes, '|'), port, '|');
            std::getline(std::getline(fields, one.path, '|'), one.range, '|');
            std::getline(std::getline(fields, one.if_none_match, '|'), one.authorization);
            one.status = std::stoi(status), one.bytes = std::stoull(bytes), one.port = std::stoi(port);
            for (std::string* field : {&one.range, &one.if_none_match, &one.authorization}) {
                if (*field == "-") field->clear();
            }
            served.push_back(one);
        }
        if (served.size() >= requests) break;
        std::this_thread::sleep_for(10ms);
    }
    lines_seen_ += served.size();
    return served;
}

}  // namespace ggufkit::test
