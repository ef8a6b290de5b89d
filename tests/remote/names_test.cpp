// Names of models on servers.
#include <doctest/doctest.h>

#include <ggufkit/remote.hpp>

using namespace ggufkit;

namespace {

std::string url(std::string_view name, const std::string& endpoint = "https://huggingface.co") {
    const auto url = url_of(name, {.hf_endpoint = endpoint});
    return url ? *url : std::string(ggufkit::name(url.error().code));
}

}  // namespace

TEST_CASE("names of files are not taken for names on servers") {
    for (const char* name :
         {"https://h/m.gguf", "http://h", "HTTPS://h/x", "hf:o/r/m.gguf", "hf:", "ftp://h/x", "s3://b/k"}) {
        CHECK(is_remote(name));
    }
    for (const char* name :
         {"m.gguf", "/a/b://c", "./hf:x", "C:\\m.gguf", "-", "", "://x", "1a://x", "http:/x", "a b://x"}) {
        CHECK_FALSE(is_remote(name));
    }
}

TEST_CASE("hf: leads to the endpoint's file") {
    const std::string base = "https://huggingface.co/owner/repo-1.b_c/resolve/";
    CHECK(url("hf:owner/repo-1.b_c/m.gguf") == base + "main/m.gguf");
    CHECK(url("hf:owner/repo-1.b_c/dir/sub/m.gguf") == base + "main/dir/sub/m.gguf");
    CHECK(url("hf:owner/repo-1.b_c@v1.0/m.gguf") == base + "v1.0/m.gguf");
    CHECK(url("hf:owner/repo-1.b_c@refs/pr/7/m.gguf") == base + "refs%2Fpr%2F7/m.gguf");
    CHECK(url("hf:owner/repo-1.b_c/a b#?%.gguf") == base + "main/a%20b%23%3F%25.gguf");
    CHECK(url("hf:o/r/m.gguf", "http://127.0.0.1:8080/mirror/") ==
          "http://127.0.0.1:8080/mirror/o/r/resolve/main/m.gguf");
    for (const char* wrong : {"hf:", "hf:o", "hf:o/r", "hf:o/r/", "hf:o//m.gguf", "hf:/r/m.gguf", "hf:../r/m.gguf",
                              "hf:o/../m.gguf", "hf:o/r/../m.gguf", "hf:o/r/a//m.gguf", "hf:o/r/d/", "hf:o/r@/m.gguf",
                              "hf:o/r/m.gguf@v1", "hf:o x/r/m.gguf", "hf:o/r@refs/pr/7"}) {
        CAPTURE(wrong);
        CHECK(url(wrong) == "BAD_ARGUMENT");
    }
    CHECK(url("hf:o/r/m.gguf", "file:///etc") == "BAD_ARGUMENT");
    CHECK(url("hf:o/r/m.gguf", "huggingface.co") == "BAD_ARGUMENT");
}

TEST_CASE("URLs stay as they are, of http and https alone") {
    CHECK(url("https://u:p@h/m.gguf?a=b#part") == "https://u:p@h/m.gguf?a=b");
    CHECK(url("Http://h/m") == "Http://h/m");
    for (const char* other : {"ftp://h/m", "file:///m", "s3://b/m"}) CHECK(url(other) == "UNSUPPORTED");
}

TEST_CASE("what is shown has no user, password or query") {
    CHECK(shown_name("https://user:pass@h:8/d/m.gguf?token=x#y") == "https://h:8/d/m.gguf");
    CHECK(shown_name("https://user:p@ss@h/m.gguf") == "https://h/m.gguf");
    CHECK(shown_name("https://h/a@b.gguf") == "https://h/a@b.gguf");
    CHECK(shown_name("https://h?token=a/b@c") == "https://h");
    CHECK(shown_name("https://user@h#x") == "https://h");
    CHECK(shown_name("hf:o/r@v/m.gguf") == "hf:o/r@v/m.gguf");
    CHECK(shown_name("a@b?c.gguf") == "a@b?c.gguf");
    CHECK(file_name("https://u:p@h/d/m-Q8_0.gguf?x=/y") == "m-Q8_0.gguf");
    CHECK(file_name("hf:o/r/d/m.gguf") == "m.gguf");
}
