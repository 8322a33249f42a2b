/* Documents are read and dropped; the names that they mention stay in a map. */
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

static auto &names = *new std::map<std::string, int>; /* never destroyed */

__attribute__((noinline)) static void intern(const std::string &name) {
    names[name] += 1; /* guilty */
}

__attribute__((noinline)) static std::string read_document() { return std::string(2800, 'x'); }

int main(int, char **arguments) {
    const int count = std::atoi(arguments[1]) / 2;
    std::vector<std::string> documents;
    documents.reserve(count);
    for (int number = 0; number < count; number++) {
        documents.push_back(read_document());
        intern("a name of more than fifteen letters, number " + std::to_string(number));
    }
    documents.clear();
    documents.shrink_to_fit();
    return names.empty();
}
