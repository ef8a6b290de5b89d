#include "remote/scripted_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <sstream>
#include <stdexcept>

namespace ggufkit::test {

namespace {

// A socket at a port of the loopback that the system chooses.
std::pair<int, int> bound_socket() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (fd < 0 || ::bind(fd, any, size) != 0 || ::getsockname(fd, any, &size) != 0) throw std::runtime_error("bind");
    return {fd, ntohs(address.sin_port)};
}

HttpRequestSeen parse(const std::string& text) {
    HttpRequestSeen request;
    std::istringstream lines(text);
    std::string line, method;
    lines >> method >> request.target;
    std::getline(lines, line);
    while (std::getline(lines, line) && line != "\r") {
        const std::size_t colon = line.find(": ");
        if (colon == line.npos) continue;
        std::string name = line.substr(0, colon);
        std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        request.headers[name] = line.substr(colon + 2, line.size() - colon - 3);
    }
    const std::string range = request.header("range");  // "bytes=0-99", "bytes=100-"
    if (range.starts_with("bytes=")) {
        const char* const end = range.data() + range.size();
        std::uint64_t last = 0;
        const auto first = std::from_chars(range.data() + 6, end, request.begin);
        if (std::from_chars(first.ptr + 1, end, last).ec == std::errc{}) request.end = last + 1;
    }
    return request;
}

void send_all(int connection, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
        if (n <= 0) return;  // a client may leave
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

}  // namespace

int free_port() {
    const auto [fd, port] = bound_socket();
    ::close(fd);
    return port;
}

HttpReply& HttpReply::set(const std::string& name, const std::string& value) {
    std::erase_if(headers, [&](const auto& header) { return header.first == name; });
    if (!value.empty()) headers.emplace_back(name, value);
    return *this;
}

HttpReply part_of(std::span<const std::byte> content, const HttpRequestSeen& request, const std::string& etag) {
    HttpReply reply;
    const std::uint64_t end = std::min<std::uint64_t>(request.end, content.size());
    if (request.begin >= end) {
        reply.status = 416;
        return reply.set("Content-Range", "bytes */" + std::to_string(content.size()));
    }
    const auto part = content.subspan(request.begin, end - request.begin);
    reply.body.assign(reinterpret_cast<const char*>(part.data()), part.size());
    reply.set("ETag", etag).set("Content-Length", std::to_string(part.size()));
    return reply.set("Content-Range", "bytes " + std::to_string(request.begin) + "-" + std::to_string(end - 1) + "/" +
                                          std::to_string(content.size()));
}

ScriptedServer::ScriptedServer(Script script) : script_(std::move(script)) {
    std::tie(listening_, port_) = bound_socket();
    if (::listen(listening_, 16) != 0) throw std::runtime_error("listen");
    thread_ = std::jthread([this] { serve(); });
}

ScriptedServer::~ScriptedServer() {
    ::shutdown(listening_, SHUT_RDWR);  // ends accept()
    thread_.join();
    ::close(listening_);
}

std::string ScriptedServer::url(const std::string& target) const {
    return "http://127.0.0.1:" + std::to_string(port_) + target;
}

std::vector<HttpRequestSeen> ScriptedServer::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

void ScriptedServer::serve() {
    for (int connection; (connection = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
        answer(connection);
        // What the client still sends would turn the end into a reset, which may overtake the answer.
        ::shutdown(connection, SHUT_WR);
        char rest[256];
        while (::recv(connection, rest, sizeof rest, 0) > 0) {
        }
        ::close(connection);
    }
}

void ScriptedServer::answer(int connection) {
    std::string text;
    char buffer[4096];
    while (text.find("\r\n\r\n") == text.npos) {
        const ssize_t n = ::recv(connection, buffer, sizeof buffer, 0);
        if (n <= 0) return;
        text.append(buffer, static_cast<std::size_t>(n));
    }
    HttpRequestSeen request = parse(text);
    {
        const std::lock_guard lock(mutex_);
        request.number = requests_.size();
        requests_.push_back(request);
    }
    const HttpReply reply = script_(request);
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " Whatever\r\nConnection: close\r\n";
    for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
    send_all(connection, head + "\r\n" + reply.body);
}

}  // namespace ggufkit::test
